/** A small typed emitter: who listens, and who is told. */

export interface Listeners<Events> {
  /** Calls `listener` at each event of that name; gives back what ends it. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void
}

export interface Emitter<Events> extends Listeners<Events> {
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void
}

export function createEmitter<Events>(): Emitter<Events> {
  const listeners: { [Name in keyof Events]?: Set<(event: Events[Name]) => void> } = {}
  return {
    on(name, listener) {
      const all = listeners[name] ?? new Set()
      listeners[name] = all.add(listener)
      return () => all.delete(listener)
    },
    emit(name, event) {
      for (const listener of [...(listeners[name] ?? [])]) {
        try {
          listener(event)
        } catch (error) {
          // It must not keep the others, nor the next signal, from being heard.
          queueMicrotask(() => {
            throw error
          })
        }
      }
    },
  }
}
