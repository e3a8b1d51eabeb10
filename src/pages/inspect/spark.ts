/** A line of the last minutes, without axes: the shape is what it says. */

const SVG = 'http://www.w3.org/2000/svg'
const WIDTH = 120
const HEIGHT = 28
/** Points at the most; of a line that has fewer than the least, the left part is empty. */
const MOST = 60
const LEAST = 15

export interface Spark {
  readonly element: SVGSVGElement
  draw(values: readonly number[]): void
}

export function createSpark(kind: string): Spark {
  const element = document.createElementNS(SVG, 'svg')
  element.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`)
  element.setAttribute('preserveAspectRatio', 'none')
  element.setAttribute('aria-hidden', 'true')
  element.classList.add('spark', kind)
  const area = document.createElementNS(SVG, 'path')
  area.classList.add('area')
  const line = document.createElementNS(SVG, 'path')
  line.classList.add('line')
  element.append(area, line)
  return {
    element,
    draw(values) {
      const shown = values.slice(-MOST)
      const most = Math.max(1, ...shown)
      const step = WIDTH / (Math.max(LEAST, shown.length) - 1)
      const x = (i: number) => WIDTH - (shown.length - 1 - i) * step
      const points = shown.map((value, i) => {
        const y = HEIGHT - 1 - (value / most) * (HEIGHT - 3)
        return `${x(i).toFixed(1)} ${y.toFixed(1)}`
      })
      const path = points.length > 1 ? `M${points.join('L')}` : ''
      line.setAttribute('d', path)
      area.setAttribute('d', path && `${path}L${WIDTH} ${HEIGHT}L${x(0).toFixed(1)} ${HEIGHT}Z`)
    },
  }
}

/** Lines of several nodes as one: what is newest stands at the end of each. */
export function summed(lines: readonly (readonly number[])[]): number[] {
  const length = Math.max(0, ...lines.map((line) => line.length))
  return Array.from({ length }, (_, i) =>
    lines.reduce((sum, line) => sum + (line[line.length - length + i] ?? 0), 0),
  )
}
