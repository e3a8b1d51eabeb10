/** Commands to try, with this gateway's own address in them. */
import { copyButton } from '../shared/copy.js'
import { make } from '../shared/dom.js'

export function showCommands(list: HTMLElement, channel: string) {
  const events = `${location.origin}/v1/events?channel=${channel}`
  function add(about: string, command: string): HTMLElement {
    const code = make('code', { textContent: command })
    const copy = copyButton(code)
    copy.setAttribute('aria-label', `Copy: ${about}`)
    const line = make('div', { className: 'command' }, make('pre', {}, code), copy)
    list.append(make('li', {}, make('p', { textContent: about }), line))
    return code
  }
  const resume = (cursor: string) => `curl -N -H 'Last-Event-ID: ${cursor}' \\\n  '${events}'`
  add('Read a channel', `curl -N '${events}'`)
  add('Write to it', `curl --json '{"text":"Hello"}' \\\n  '${events}'`)
  const code = add('Go on after the event that came last here', resume('earliest'))
  return {
    /** Where the third one goes on. */
    after(cursor: string): void {
      code.textContent = resume(cursor)
    },
  }
}
