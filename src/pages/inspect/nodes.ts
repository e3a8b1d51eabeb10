/** A card for each node; one that falls silent stays for a minute, and says so. */
import { make } from '../shared/dom.js'
import type { NodeAnswer, Overview } from './answers.js'
import { createSpark } from './spark.js'
import { brief, bytes, clock, count, percent, rate, span } from './words.js'

/** ms for which a node that has gone is shown. */
const MOURNED_MS = 60_000

interface Card {
  readonly element: HTMLElement
  seen: number
  show(node: NodeAnswer, answers: boolean, now: number): void
  mourn(): void
}

export function showNodes(list: HTMLElement): (answer: Overview) => void {
  const cards = new Map<string, Card>()
  return ({ nodes, partial, time }) => {
    for (const [i, node] of nodes.entries()) {
      const card = cards.get(node.id) ?? createCard(node.id)
      cards.set(node.id, card)
      card.seen = time
      card.show(node, i === 0 && nodes.length > 1, time)
      // In the order in which they began: the one that answers may be another each time.
      if (!card.element.isConnected) list.append(card.element)
    }
    const here = new Set(nodes.map(({ id }) => id))
    for (const [id, card] of cards) {
      if (here.has(id)) continue
      // Where the store can't be asked nobody knows of the others.
      if (partial === true) card.element.classList.add('unknown')
      else card.mourn()
      if (time - card.seen < MOURNED_MS) continue
      card.element.remove()
      cards.delete(id)
    }
  }
}

function fact(name: string) {
  const value = make('dd', { className: 'value' })
  return { box: make('div', {}, make('dt', { textContent: name }), value), value }
}

function createCard(id: string): Card {
  const name = make('h3')
  const pill = make('p', { className: 'pill' })
  const about = make('p', { className: 'hint about' })
  const [into, out] = [createSpark('published'), createSpark('delivered')]
  const [intoRate, outRate] = [make('b'), make('b')]
  const facts = {
    streams: fact('Streams'),
    lagging: fact('Slow readers'),
    channels: fact('Channels'),
    busy: fact('Event loop'),
    delay: fact('Delay p99'),
    memory: fact('Memory'),
  }
  const trouble = make('p', { className: 'trouble' })
  const boxes = Object.values(facts).map(({ box }) => box)
  const element = make(
    'li',
    { className: 'card node' },
    make('div', { className: 'head' }, name, pill),
    about,
    make(
      'div',
      { className: 'lines' },
      make('p', {}, intoRate, ' in', into.element),
      make('p', {}, outRate, ' out', out.element),
    ),
    make('dl', { className: 'facts' }, ...boxes),
    trouble,
  )
  element.dataset.node = id

  function pillOf(text: string, tone: string): void {
    pill.textContent = text
    pill.dataset.tone = tone
  }

  function set({ box, value }: ReturnType<typeof fact>, text: string, bad = false): void {
    value.textContent = text
    box.classList.toggle('bad', bad)
  }

  const card: Card = {
    element,
    seen: 0,
    show(node, answers, now) {
      element.classList.remove('gone', 'unknown')
      name.textContent = `${node.host} · ${node.pid}`
      if (node.fault !== null) pillOf('can’t serve', 'bad')
      else if (node.draining) pillOf('draining', 'wait')
      else pillOf('serving', 'good')
      const by = answers ? ' · answers this page' : ''
      about.textContent = `up ${span(now - node.started)} · ${node.version}${by}`
      into.draw(node.past.published)
      out.draw(node.past.delivered)
      intoRate.textContent = `${rate(node.rates.published)}/s`
      outRate.textContent = `${rate(node.rates.delivered)}/s`
      const { busy, delay, rss } = node.process
      const full = node.streams + node.polls >= 0.9 * node.maxStreams
      set(facts.streams, `${count(node.streams + node.polls)} of ${brief(node.maxStreams)}`, full)
      set(facts.lagging, count(node.lagging), node.lagging > 0)
      set(facts.channels, brief(node.channels))
      set(facts.busy, `${percent(busy)} busy`, busy > 0.9)
      set(facts.delay, `${rate(delay)} ms`, delay > 100)
      set(facts.memory, bytes(rss))
      trouble.textContent = troubleOf(node)
    },
    mourn() {
      element.classList.add('gone')
      pillOf(`no sign of life since ${clock(card.seen)}`, 'bad')
    },
  }
  return card
}

/** What has gone wrong there, in one line. */
function troubleOf({ fault, totals, refusals }: NodeAnswer): string {
  const told = [
    [totals.gaps, 'gaps told'],
    [totals.slow, 'readers given up'],
    [totals.interruptions, 'times that the log was out of reach'],
  ] as const
  const codes = Object.entries(refusals).sort(([, a], [, b]) => b - a)
  const refused = codes.slice(0, 4).map(([code, times]) => `${code} ${brief(times)}`)
  const parts = [
    ...(fault === null ? [] : [fault]),
    ...told.filter(([times]) => times > 0).map(([times, what]) => `${brief(times)} ${what}`),
    ...(refused.length > 0 ? [`refused: ${refused.join(', ')}`] : []),
  ]
  return parts.join(' · ')
}
