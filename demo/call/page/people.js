/** The list of who is in the room, and what a moderator may do about it. */
import { $, avatar, icon, isAway, make, nameOf } from './dom.js'

/** Draws the list anew; whatever had the focus has it still. */
export function showPeople(room, actions) {
  const focus = document.activeElement?.dataset?.action
  const { self } = room
  const everybody = [self, ...room.peers].sort((a, b) => a.joined - b.joined)
  // On an open gateway everybody may moderate: then nobody needs to be told who.
  const ranked = everybody.some(({ role }) => role !== 'moderator')
  const mayModerate = self.role === 'moderator'
  $('count').textContent = everybody.length
  $('people').replaceChildren(
    ...everybody.map((one) => entry(one, { own: one === self, ranked, mayModerate }, actions)),
  )
  if (focus)
    $('people')
      .querySelector(`[data-action="${CSS.escape(focus)}"]`)
      ?.focus()
}

function entry(one, { own, ranked, mayModerate }, actions) {
  const name = nameOf(one)
  const words = [
    own && 'you',
    ranked && one.role === 'moderator' && 'moderator',
    !own && isAway(one) && 'away',
    one.muted.audio && one.muted.video ? 'muted' : one.muted.audio && 'microphone off',
  ].filter(Boolean)
  const who = make(
    'div',
    { className: 'who' },
    make('b', { className: 'who-name', textContent: name }),
  )
  who.append(make('small', { textContent: words.join(' · ') || 'here' }))
  const row = make('li', {}, avatar(one), who)
  row.dataset.away = !own && isAway(one)
  const moderates = mayModerate && !own
  if (one.hand && !moderates) {
    const raised = make('span', { className: 'raised', title: 'Hand raised' }, icon('hand'))
    raised.append(make('span', { className: 'unseen', textContent: 'Hand raised' }))
    row.append(raised)
  }
  if (moderates) {
    if (one.hand)
      row.append(button(one, 'lower', 'hand', `${name} has a hand up. Lower it`, actions))
    if (!one.muted.audio) row.append(button(one, 'mute', 'mic-off', `Ask ${name} to mute`, actions))
    row.append(button(one, 'kick', 'remove', `Remove ${name}`, actions))
  }
  return row
}

function button({ id }, action, sign, title, actions) {
  const made = make('button', { type: 'button', title, className: action }, icon(sign))
  made.setAttribute('aria-label', title)
  made.dataset.action = `${action} ${id}`
  made.addEventListener('click', () => actions[action](id))
  return made
}
