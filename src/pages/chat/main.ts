/** A chat: messages as events of one channel, who is here as its presence, typing as ephemeral events. */
import { connect, GatewayError } from '../../client/index.js'
import { $ } from '../shared/dom.js'
import { randomName } from '../shared/random.js'
import { channelOf, room } from '../shared/room.js'
import { showState } from '../shared/state.js'
import { createIdentity, type Person, personOf } from './identity.js'
import { createMessages, type Said, saidIn } from './messages.js'
import { showPeople } from './people.js'
import { createSigns, createTyping } from './typing.js'

interface Events {
  readonly [chat: `demo:chat${string}`]: { readonly message: Said; readonly typing: Person }
}

const SESSION = 'sluice-chat-session'

const query = new URLSearchParams(location.search)
const channel = channelOf('demo:chat')
const { me, rename, giveWay } = createIdentity(query.has('guest') ? sessionStorage : localStorage)

const client = connect<Events>({
  url: '/',
  // A reload is the same stream's, so nobody sees one leave.
  session: sessionStorage.getItem(SESSION) ?? undefined,
  presence: me,
})
addEventListener('pagehide', () => sessionStorage.setItem(SESSION, client.session))

const text = $<HTMLInputElement>('text')
// What scrolls can be scrolled by keys.
$('scroll').tabIndex = 0
const messages = createMessages($('messages'), $('scroll'), me)
const typing = createTyping($('typing'))
const isConnected = () => client.state.state === 'live' || client.state.state === 'polling'

// ── what comes ──

client.subscribe(
  channel,
  (event) => {
    if (event.name === 'typing') {
      const typist = personOf(event.data, event.sender ?? 'somebody')
      if (typist.who !== me.who) typing.heard(typist)
    } else if (event.name === 'message') {
      const said = saidIn(event.data, event.sender)
      typing.stop(said.who)
      messages.logged(said, event.time)
      $('empty').hidden = true
    }
  },
  { rewind: 50, onGap: ({ reason }) => messages.gap(reason) },
)

const presence = client.presence(channel)
presence.onChange((members) => {
  const others = [...members.values()].map(({ id, data }) => personOf(data, id))
  if (giveWay(others)) sayName()
  showPeople($('people'), $('count'), members.values(), me)
})

showState($('state'), client)
client.onState((state) => {
  // The tab was duplicated, and its copy has taken the session along.
  if (state.state === 'ended' && state.reason === 'replaced') {
    removeEventListener('beforeunload', warn)
    client.close()
    sessionStorage.removeItem(SESSION)
    location.replace(location.href)
  }
  if (state.state === 'live' || state.state === 'polling') {
    $('empty').hidden = $('messages').childElementCount > 0
  }
  showQueue()
})

// ── what is said ──

function say(words: string): void {
  const key = randomName()
  const said = { ...me, text: words, key }
  messages.begin(said)
  client
    .publish(channel, said, { key })
    .then(
      () => messages.mark(key, 'sent'),
      (error: Error) => {
        const why = error instanceof GatewayError ? error.problem?.detail : undefined
        messages.mark(key, 'refused', why ?? error.message)
      },
    )
    .finally(showQueue)
  showQueue()
}

/** What the network keeps from being sent is seen to wait. */
function showQueue(): void {
  const { waiting } = client
  const held = waiting > 0 && !isConnected()
  messages.markUnsent(held ? 'waiting' : 'sending')
  $('queue').hidden = !held
  if (!held) return
  const what = waiting === 1 ? 'One message waits' : `${waiting} messages wait`
  $('queue').textContent = `${what} for the network, and will be sent in order.`
}

const signs = createSigns(() => {
  if (!isConnected()) return
  void client.publish(channel, me, { name: 'typing', ephemeral: true })
})
text.addEventListener('input', () => text.value !== '' && signs.typed())

$('composer').addEventListener('submit', (event) => {
  event.preventDefault()
  const words = text.value.trim()
  if (words === '') return
  text.value = ''
  signs.sent()
  $('empty').hidden = true
  say(words)
})

/** What waits is in this page alone. */
function warn(event: Event): void {
  if (client.waiting > 0) event.preventDefault()
}
addEventListener('beforeunload', warn)

// ── who one is ──

$<HTMLInputElement>('name').value = me.name
$('name').addEventListener('change', () => {
  const wanted = $<HTMLInputElement>('name').value.trim()
  if (wanted !== '') rename(wanted)
  sayName()
})

function sayName(): void {
  $<HTMLInputElement>('name').value = me.name
  if (isConnected()) presence.update(me).catch(() => {})
}

// ── where one is ──

$('channel').textContent = channel
$('command').textContent =
  `curl --json '"Hello"' \\\n  '${location.origin}/v1/events?channel=${channel}'`
function windowOf(guest: boolean): string {
  const asked = String(
    new URLSearchParams({ ...(room && { room }), ...(guest && { guest: 'yes' }) }),
  )
  return asked === '' ? '/chat' : `/chat?${asked}`
}
$<HTMLAnchorElement>('again').href = windowOf(query.has('guest'))
$<HTMLAnchorElement>('guest').href = windowOf(true)
if (room) document.title = `${room} · ${document.title}`
text.focus({ preventScroll: true })
