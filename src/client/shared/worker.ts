/** The hub in a shared worker, where this very file is loaded as one. */
import { watchWorld } from '../world.js'
import { createHub, type FromTab } from './hub.js'
import { newName } from './shared.js'

interface WorkerScope {
  onconnect: (event: MessageEvent) => void
}

export function serveTabs(scope: WorkerScope): void {
  const birth = newName()
  const ports = new Map<string, MessagePort>()
  /** The tab that spoke last: it lives. */
  let latest = ''
  const hub = createHub((word) => {
    const message = { hub: birth, word }
    if (word.type === 'token?') ports.get(latest)?.postMessage(message)
    else for (const port of ports.values()) port.postMessage(message)
  }, undefined)
  watchWorld((happening) => hub.take(latest, { type: 'tell', happening }))
  scope.onconnect = ({ ports: [port] }) => {
    port!.onmessage = ({ data }: MessageEvent<{ tab: string; word: FromTab }>) => {
      const { tab, word } = data
      if (word.type === 'bye') ports.delete(tab)
      else {
        ports.set(tab, port!)
        latest = tab
      }
      // A tab's network is that of the worker, who hears of it by itself.
      if (word.type !== 'tell' || word.happening.type === 'visible') hub.take(tab, word)
    }
  }
}
