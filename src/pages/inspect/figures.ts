/** All nodes in six figures. */
import { make } from '../shared/dom.js'
import type { Overview } from './answers.js'
import { createSpark, type Spark, summed } from './spark.js'
import { brief, count, rate } from './words.js'

interface Figure {
  readonly name: string
  readonly value: (answer: Overview) => string
  /** In smaller words. */
  readonly more: (answer: Overview) => string
  readonly spark?: 'published' | 'delivered'
  /** Whether somebody should look. */
  readonly bad?: (answer: Overview) => boolean
}

const FIGURES: readonly Figure[] = [
  {
    name: 'Events in',
    value: ({ sum }) => `${rate(sum.rates.published)}/s`,
    more: ({ sum }) => `${brief(sum.totals.published)} so far`,
    spark: 'published',
  },
  {
    name: 'Events out',
    value: ({ sum }) => `${rate(sum.rates.delivered)}/s`,
    more: ({ sum }) => `${brief(sum.totals.delivered)} so far`,
    spark: 'delivered',
  },
  {
    name: 'Streams',
    value: ({ sum }) => count(sum.streams),
    more: ({ sum }) => `and ${count(sum.polls)} polls waiting`,
  },
  {
    name: 'Slow readers',
    value: ({ sum }) => count(sum.lagging),
    more: ({ sum }) => `${brief(sum.totals.slow)} given up`,
    bad: ({ sum }) => sum.lagging > 0,
  },
  {
    name: 'Gaps told',
    value: ({ sum }) => brief(sum.totals.gaps),
    more: ({ sum }) => interruptions(sum.totals.interruptions),
  },
  {
    name: 'Publishes refused',
    value: ({ sum }) => brief(sum.totals.refused),
    more: ({ nodes, sum }) => others(refusals(nodes) - sum.totals.refused),
  },
]

function interruptions(times: number): string {
  if (times === 0) return 'log always there'
  return `log out of reach ${times === 1 ? 'once' : `${count(times)} times`}`
}

/** Requests that weren't to publish. */
function others(times: number): string {
  if (times <= 0) return 'nor anything else'
  return `and ${brief(times)} other ${times === 1 ? 'request' : 'requests'}`
}

function refusals(nodes: Overview['nodes']): number {
  return nodes.flatMap((node) => Object.values(node.refusals)).reduce((sum, it) => sum + it, 0)
}

export function showFigures(list: HTMLElement): (answer: Overview) => void {
  const shown = FIGURES.map((figure) => {
    const value = make('dd', { className: 'value' })
    const more = make('dd', { className: 'hint' })
    const box = make('div', {}, make('dt', { textContent: figure.name }), value, more)
    let spark: Spark | undefined
    if (figure.spark !== undefined) {
      spark = createSpark(figure.spark)
      box.append(make('dd', { className: 'drawn' }, spark.element))
    }
    list.append(box)
    return { figure, value, more, box, spark }
  })
  return (answer) => {
    for (const { figure, value, more, box, spark } of shown) {
      value.textContent = figure.value(answer)
      more.textContent = figure.more(answer)
      box.classList.toggle('bad', figure.bad?.(answer) === true)
      const { spark: of } = figure
      if (of !== undefined) spark?.draw(summed(answer.nodes.map(({ past }) => past[of])))
    }
  }
}
