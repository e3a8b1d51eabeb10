/** Notifications through a proxy that may be bad: each is shown once, and the page tells how it came. */
import { connect } from '../../client/index.js'
import { $ } from '../shared/dom.js'
import { randomName } from '../shared/random.js'
import { channelOf } from '../shared/room.js'
import { showState } from '../shared/state.js'
import { anyNote, createFeed, MAX_SHOWN, type Note, noteIn } from './feed.js'
import { recall, remember } from './kept.js'
import { createBadProxy, type Way } from './proxy.js'
import { type Choice, choiceOf, createSwitch } from './switch.js'
import { createTally } from './tally.js'
import { createTimeline, sentenceFor } from './timeline.js'

interface Events {
  readonly [feed: `demo:notifications${string}`]: { readonly message: Note }
}

const channel = channelOf('demo:notifications')
/**
 * Between two that come by themselves. Not faster: a scanner that holds the last message back is found
 * by the silence after one, and the next one would push it out.
 */
const EVERY_MS = 2_500
/** How long a choice waits for a stream that it falls upon. */
const STREAM_MS = 5_000

const loaded = Date.now()
const kept = recall()
/** The proxy that stands there, and the one that will, where a stream has to come back first. */
let proxied = choiceOf(kept.badness)
let next: Choice | undefined
const tally = createTally(kept.sent)
const tell = createTimeline($('timeline'))
const show = createFeed($('feed'))
/** How the bytes came that are being read now. */
let way: Way = 'stream'

const proxy = createBadProxy(
  {
    onOpen(opened) {
      if (opened === 'stream' && client.state.state === 'polling')
        tell('Probing: is a stream let through?', 'wait')
    },
    onPassed(passed) {
      way = passed
    },
    onCut(cut) {
      if (proxied.badness === 'cuts-idle') tell(`The proxy has cut an idle ${cut}`, 'bad')
    },
    onGivenUp(givenUp) {
      if (givenUp === 'stream' && client.state.state === 'polling')
        tell('No: on with polls', 'wait')
    },
  },
  proxied.badness,
)

const client = connect<Events>({ url: '/', fetch: proxy.fetch })
let before = client.state
/** While the page says by itself that the network has changed. */
let changing = false
client.onState((state) => {
  $('path').dataset.state = state.state
  if (!changing) {
    const sentence = sentenceFor(state, before)
    if (sentence) tell(...sentence)
    before = state
  }
  if (state.state === 'live' && next) turn(next)
  count()
})
showState($('state'), client)

client.subscribe(
  channel,
  (event) => {
    const note = noteIn(event.data)
    const took = tally.shown(note.key)
    show(note, event.time, took, took === undefined && event.time < loaded ? 'log' : way)
    $('empty').hidden = true
    count()
  },
  {
    rewind: kept.again ? MAX_SHOWN : undefined,
    onGap: ({ reason }) => tell(`Something may be missing: ${reason}`, 'bad'),
  },
)

function send(note: Note): void {
  const key = randomName()
  tally.sent(key, note)
  publish(key, note)
}

function publish(key: string, note: Note): void {
  count()
  client
    .publish(channel, { ...note, key }, { key })
    .then(
      () => tally.accepted(key),
      (error: Error) => {
        tally.refused(key)
        tell(`Not accepted: ${error.message}`, 'bad')
      },
    )
    .finally(count)
}

function count(): void {
  for (const [name, value] of Object.entries(tally.count)) {
    const place = $(name)
    place.textContent = String(value)
    place.dataset.some = String(value > 0)
  }
}

// ── what can be pressed ──

$('send').addEventListener('click', () => send(anyNote()))

const coming = $<HTMLInputElement>('coming')
coming.checked = kept.coming
// A tab that nobody looks at fills no log.
setInterval(() => coming.checked && !document.hidden && send(anyNote()), EVERY_MS)
coming.addEventListener('change', () => coming.checked && send(anyNote()))

// ── the proxy ──

/**
 * Each one falls upon a stream, so that one sees the client notice. Where none is left, the proxy before
 * goes first.
 */
createSwitch($('switch'), proxied.badness, (choice) => {
  const gone = choice.badness === 'none'
  if (gone || client.state.state === 'live') turn(choice)
  else {
    tell('First the stream comes back, with nothing in between')
    stand(choiceOf('none'))
    next = choice
    // A real proxy may stand in the way as well.
    setTimeout(() => next === choice && turn(choice), STREAM_MS)
  }
  if (gone || next) changeNetwork()
})

function turn(choice: Choice): void {
  next = undefined
  const gone = choice.badness === 'none'
  tell(gone ? 'The proxy is gone' : `A proxy: ${choice.title.toLowerCase()}`, gone ? 'good' : 'bad')
  stand(choice)
  // Something that can fail to come: without a word nobody could tell a silent proxy from a quiet day.
  send({ from: 'The switch', text: gone ? 'Nothing is in between now.' : `${choice.title}.` })
}

function stand(choice: Choice): void {
  proxied = choice
  proxy.turn(choice.badness)
  picture()
}

function picture(): void {
  $('path').dataset.badness = proxied.badness
  $('between').textContent = proxied.short
}

/** What a browser says when one walks into another network; else streaming is tried every few minutes. */
function changeNetwork(): void {
  changing = true
  dispatchEvent(new Event('offline'))
  dispatchEvent(new Event('online'))
  changing = false
}

// ── over a reload ──

picture()
// What no gateway has accepted yet is sent again, and counts once by its key.
for (const { key, note } of kept.sent) if (note) publish(key, note)
count()
remember(() => ({
  badness: (next ?? proxied).badness,
  coming: coming.checked,
  sent: tally.all,
}))
