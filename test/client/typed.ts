/** What the types of the client say, judged by `npm run check`: nothing here runs. */
import { connect } from '../../src/client/index.js'

interface Events {
  [chat: `chat:${string}`]: { message: { from: string; text: string }; typing: { from: string } }
  clicks: { click: { x: number } }
}

interface Person {
  readonly name: string
}

export async function publishing(name: 'message' | 'typing'): Promise<void> {
  const client = connect<Events>({ url: '/' })
  await client.publish('chat:7', { from: 'a', text: 'b' })
  await client.publish('chat:7', { from: 'a', text: 'b' }, { ephemeral: true })
  await client.publish('chat:7', { from: 'a' }, { name: 'typing', ephemeral: true })
  await client.publish('clicks', { x: 1 }, { name: 'click' })
  // @ts-expect-error: without a name it is a message, which has a text
  await client.publish('chat:7', { from: 'a' })
  // @ts-expect-error: the same, whatever else is said
  await client.publish('chat:7', { from: 'a' }, { ephemeral: true })
  // @ts-expect-error: the data of another event
  await client.publish('chat:7', { from: 'a' }, { name: 'message' })
  // @ts-expect-error: there is no message on it
  await client.publish('clicks', { x: 1 })
  // @ts-expect-error: no such event
  await client.publish('chat:7', { from: 'a' }, { name: 'left' })
  await client.publish('chat:7', { from: 'a', text: 'b' }, { name })
  const untyped = connect({ url: '/' })
  await untyped.publish('anything', 7)
  await untyped.publish('anything', 7, { name: 'number' })
}

export function presence(): unknown {
  const client = connect<Events, Person>({ url: '/', presence: { name: 'Ada' } })
  // @ts-expect-error: a person has a name
  connect<Events, Person>({ url: '/', presence: { age: 36 } })
  connect<Events, Person>({ url: '/', presence: false })
  const untyped = connect({ url: '/', presence: { name: 'Ada' } })
  void untyped.presence('chat:7').update({ away: true })
  // @ts-expect-error: true is nothing that could be said
  connect({ url: '/', presence: true })
  const here = client.presence('chat:7')
  void here.update({ name: 'Ada Lovelace' })
  void here.update(null)
  // @ts-expect-error: a person has a name
  void here.update({ away: true })
  return [...here.members.values()].map(({ data }) => data?.name.toUpperCase())
}
