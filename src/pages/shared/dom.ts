/** The little that a page without a framework needs. */

/** The element with this id, which the page has. */
export function $<E extends Element = HTMLElement>(id: string): E {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`the page has no #${id}`)
  return element as unknown as E
}

/** An element: `make('li', { className: 'note' }, 'text', child)`. */
export function make<T extends keyof HTMLElementTagNameMap>(
  tag: T,
  properties: Partial<HTMLElementTagNameMap[T]> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[T] {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

const SVG = 'http://www.w3.org/2000/svg'

/** One of shared/icons.svg. */
export function icon(name: string): SVGElement {
  const svg = document.createElementNS(SVG, 'svg')
  const use = document.createElementNS(SVG, 'use')
  svg.setAttribute('aria-hidden', 'true')
  use.setAttribute('href', `/pages/icons.svg#${name}`)
  svg.append(use)
  return svg
}

/** A round with a first letter, in a colour of one's own. */
export function avatar(name: string, hue: number): HTMLElement {
  const letter = [...name][0]?.toUpperCase() ?? '?'
  const round = make('span', { className: 'avatar', textContent: letter })
  round.setAttribute('aria-hidden', 'true')
  round.style.setProperty('--hue', String(hue))
  return round
}

/** The same colour for the same text, wherever it is shown. */
export function hueOf(text: string): number {
  let hash = 0
  for (const char of text) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) % 360
  return hash
}
