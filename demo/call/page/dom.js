/** The little that a page without a framework needs. */
export const $ = (id) => document.getElementById(id)

/** An element: `make('li', { className: 'note' }, 'text', child)`. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use')
  svg.setAttribute('aria-hidden', 'true')
  use.setAttribute('href', `/icons.svg#${name}`)
  svg.append(use)
  return svg
}

/** Changes an icon only where it is another one: SVG that is replaced flickers. */
export function setIcon(element, name) {
  const use = element.querySelector('use')
  if (use.getAttribute('href') !== `/icons.svg#${name}`)
    use.setAttribute('href', `/icons.svg#${name}`)
}

/** What somebody is shown as. */
export const nameOf = ({ id, data }) => String(data.name ?? id).slice(0, 40)
export const hueOf = ({ data }) => Number(data.hue) || 0
export const isAway = (peer) => peer.away || data(peer).away === true
const data = (peer) => peer.data ?? {}

/** A round with a first letter, in somebody's colour. */
export function avatar(participant) {
  const letter = [...nameOf(participant)][0]?.toUpperCase() ?? '?'
  const round = make('span', { className: 'avatar', textContent: letter })
  round.setAttribute('aria-hidden', 'true')
  round.style.setProperty('--hue', hueOf(participant))
  return round
}
