/** The list of who is in the room, and what a moderator may do about it. */
import type { Participant, Room } from '../../client/index.js'
import { $, icon, make } from '../shared/dom.js'
import { faceOf, isAway, nameOf } from './participant.js'

export type Action = 'lower' | 'mute' | 'kick'
/** By id of whom it is done to. */
export type Actions = Readonly<Record<Action, (id: string) => void>>

interface Seen {
  readonly own: boolean
  /** Roles differ, and are told. */
  readonly ranked: boolean
  readonly mayModerate: boolean
}

/** Draws the list anew; whatever had the focus has it still. */
export function showPeople(room: Room, actions: Actions): void {
  const focused = document.activeElement
  const focus = focused instanceof HTMLElement ? focused.dataset.action : undefined
  const { self } = room
  const everybody = [self, ...room.peers].sort((a, b) => a.joined - b.joined)
  // On an open gateway everybody may moderate: then nobody needs to be told who.
  const ranked = everybody.some(({ role }) => role !== 'moderator')
  const mayModerate = self.role === 'moderator'
  const list = $('people')
  $('count').textContent = String(everybody.length)
  list.replaceChildren(
    ...everybody.map((one) => entry(one, { own: one === self, ranked, mayModerate }, actions)),
  )
  if (focus !== undefined) {
    list.querySelector<HTMLElement>(`[data-action="${CSS.escape(focus)}"]`)?.focus()
  }
}

function entry(one: Participant, seen: Seen, actions: Actions): HTMLElement {
  const { own, ranked, mayModerate } = seen
  const name = nameOf(one)
  const away = !own && isAway(one)
  const words = [
    own && 'you',
    ranked && one.role === 'moderator' && 'moderator',
    away && 'away',
    one.muted.audio && one.muted.video ? 'muted' : one.muted.audio && 'microphone off',
  ].filter(Boolean)
  const label = make('b', { className: 'who-name', textContent: name })
  const more = make('small', { textContent: words.join(' · ') || 'here' })
  const row = make('li', {}, faceOf(one), make('div', { className: 'who' }, label, more))
  row.dataset.away = String(away)
  const moderates = mayModerate && !own
  if (one.hand && !moderates) {
    const raised = make('span', { className: 'raised', title: 'Hand raised' }, icon('hand'))
    raised.append(make('span', { className: 'unseen', textContent: 'Hand raised' }))
    row.append(raised)
  }
  if (moderates) {
    const add = (action: Action, sign: string, title: string) =>
      row.append(button(one, action, sign, title, actions))
    if (one.hand) add('lower', 'hand', `${name} has a hand up. Lower it`)
    if (!one.muted.audio) add('mute', 'mic-off', `Ask ${name} to mute`)
    add('kick', 'remove', `Remove ${name}`)
  }
  return row
}

function button(
  { id }: Participant,
  action: Action,
  sign: string,
  title: string,
  actions: Actions,
): HTMLElement {
  const made = make('button', { type: 'button', title, className: action }, icon(sign))
  made.setAttribute('aria-label', title)
  made.dataset.action = `${action} ${id}`
  made.addEventListener('click', () => actions[action](id))
  return made
}
