/** What `useChat` is around, with its state in plain arrays instead of React's. */
import { AbstractChat, type ChatState, type ChatTransport, type UIMessage } from 'ai'

export class PlainChat extends AbstractChat<UIMessage> {
  constructor(id: string, transport: ChatTransport<UIMessage>, messages: UIMessage[] = []) {
    const state: ChatState<UIMessage> = {
      status: 'ready',
      error: undefined,
      messages: [...messages],
      pushMessage: (message) => void state.messages.push(message),
      popMessage: () => void state.messages.pop(),
      replaceMessage: (i, message) => void state.messages.splice(i, 1, message),
      snapshot: (value) => structuredClone(value),
    }
    super({ id, state, transport })
  }

  /** Of its answers, of which there should be one. */
  get text(): string {
    const answers = this.messages.filter(({ role }) => role === 'assistant')
    const parts = answers.flatMap(({ parts }) => parts)
    return parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
  }
}
