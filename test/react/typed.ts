/** What the types of the hooks say, judged by `npm run check`: nothing here runs. */
import type { Client, ClientState, Member } from '../../src/client/index.js'
import { useChannel, useConnectionState, usePresence } from '../../src/react/index.js'

interface Events {
  [chat: `chat:${string}`]: { message: { text: string }; typing: true }
  news: { message: string }
}

declare const client: Client<Events>
declare const untyped: Client
declare const perhaps: Client<Events> | undefined
declare const people: Client<Events, { name: string }>
declare const channel: `chat:${string}` | null

export function Typed(): unknown {
  const { events } = useChannel(client, 'chat:7', { name: 'message', rewind: 20 })
  const texts: string[] = events.map(({ data }) => data.text)
  const [news] = useChannel(client, 'news').events
  const headline: string | undefined = news?.data
  const [either] = useChannel(client, 'chat:7').events
  if (either?.name === 'typing') {
    const typing: true = either.data
    texts.push(String(typing))
  }
  // @ts-expect-error: no such channel
  useChannel(client, 'weather')
  // @ts-expect-error: no such event on it
  useChannel(client, 'news', { name: 'typing' })
  // @ts-expect-error: what it is isn't known
  const wrong: string | undefined = useChannel(untyped, 'news', { name: 'any' }).events[0]?.data
  useChannel(perhaps, channel, { name: 'typing' })
  const members: readonly Member[] = usePresence(perhaps, channel)
  texts.push(
    ...useChannel(people, 'chat:7', { name: 'message' }).events.map(({ data }) => data.text),
  )
  const [somebody] = usePresence(people, 'chat:7')
  // @ts-expect-error: nobody has to say anything of themselves
  texts.push(somebody?.data.name)
  texts.push(somebody?.data?.name ?? 'somebody')
  const state: ClientState = useConnectionState(perhaps)
  return [texts, headline, wrong, members, state]
}
