/** A button that copies what stands in an element, and says so. */
import { make } from './dom.js'

/** How long it says so, in milliseconds. */
const SAID_MS = 2_000

export function copyButton(of: HTMLElement): HTMLButtonElement {
  const button = make('button', { type: 'button', className: 'copy', textContent: 'Copy' })
  let timer: ReturnType<typeof setTimeout>
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(of.textContent ?? '')
      button.textContent = 'Copied'
    } catch {
      // Not everywhere a page may: then it is at least selected.
      getSelection()?.selectAllChildren(of)
      button.textContent = 'Selected'
    }
    clearTimeout(timer)
    timer = setTimeout(() => {
      button.textContent = 'Copy'
    }, SAID_MS)
  })
  return button
}
