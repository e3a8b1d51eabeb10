/** Notifications through a proxy that may be bad: each is shown once, and the page tells how it came. */
import { connect } from '../../client/index.js'
import { $ } from '../shared/dom.js'
import { randomName } from '../shared/random.js'
import { channelOf } from '../shared/room.js'
import { showState } from '../shared/state.js'
import { anyNote, createFeed, type Note, noteIn } from './feed.js'
import { type Badness, createBadProxy, type Way } from './proxy.js'
import { createSwitch } from './switch.js'
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

const tally = createTally()
const tell = createTimeline($('timeline'))
const show = createFeed($('feed'))
/** How the bytes came that are being read now. */
let way: Way = 'stream'

const proxy = createBadProxy({
  onOpen(opened) {
    if (opened === 'stream' && client.state.state === 'polling')
      tell('Probing: is a stream let through?', 'wait')
  },
  onPassed(passed) {
    way = passed
  },
  onCut(cut) {
    if (badness === 'cuts-idle') tell(`The proxy has cut an idle ${cut}`, 'bad')
  },
  onGivenUp(givenUp) {
    if (givenUp === 'stream' && client.state.state === 'polling') tell('No: on with polls', 'wait')
  },
})
let badness: Badness = 'none'

const client = connect<Events>({ url: '/', fetch: proxy.fetch })
let before = client.state
client.onState((state) => {
  const sentence = sentenceFor(state, before)
  if (sentence) tell(...sentence)
  before = state
  $('path').dataset.state = state.state
  count()
})
showState($('state'), client)

client.subscribe(
  channel,
  (event) => {
    const note = noteIn(event.data)
    show(note, event.time, tally.shown(note.key), way)
    $('empty').hidden = true
    count()
  },
  { onGap: ({ reason }) => tell(`Something may be missing: ${reason}`, 'bad') },
)

function send(note: Note): void {
  const key = randomName()
  tally.sent(key)
  count()
  client.publish(channel, { ...note, key }, { key }).then(count, (error: Error) => {
    tally.refused(key)
    tell(`Not accepted: ${error.message}`, 'bad')
    count()
  })
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
// A tab that nobody looks at fills no log.
setInterval(() => coming.checked && !document.hidden && send(anyNote()), EVERY_MS)
coming.addEventListener('change', () => coming.checked && send(anyNote()))

createSwitch($('switch'), (choice) => {
  badness = choice.badness
  $('path').dataset.badness = badness
  $('between').textContent = choice.short
  const gone = badness === 'none'
  tell(gone ? 'The proxy is gone' : `A proxy: ${choice.title.toLowerCase()}`, gone ? 'good' : 'bad')
  proxy.turn(badness)
  // Something that can fail to come: without a word nobody could tell a silent proxy from a quiet day.
  send({ from: 'The switch', text: gone ? 'Nothing is in between now.' : `${choice.title}.` })
  // What a browser says when one walks into another network; else streaming is tried every few minutes.
  if (gone) dispatchEvent(new Event('online'))
})
