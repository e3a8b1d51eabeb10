/** What is said, over data channels: no server sees it. */
import { $, make } from './dom.js'

const TIME = new Intl.DateTimeFormat([], { hour: '2-digit', minute: '2-digit' })

export function showMessage(name, hue, text, own) {
  const head = make(
    'p',
    { className: 'by' },
    make('b', { className: 'by-name', textContent: own ? 'You' : name }),
  )
  head.append(make('time', { textContent: TIME.format(new Date()) }))
  head.style.setProperty('--hue', hue)
  add(make('li', { className: own ? 'own' : '' }, head, make('p', { textContent: text })))
}

/** Something that happened. */
export function showNote(text) {
  add(make('li', { className: 'event', textContent: text }))
}

export function clearChat() {
  $('messages').replaceChildren()
}

function add(item) {
  const list = $('messages')
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40
  list.append(item)
  // Whoever reads further up is left there.
  if (atEnd) list.scrollTop = list.scrollHeight
}
