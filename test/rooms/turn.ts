/**
 * As much of a TURN client (RFC 8656) as it takes to ask a relay for an address, and whether it would relay to
 * another: a request in the clear, which is refused with a nonce, then the same with credentials.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'

export interface TurnServer {
  readonly port: number
  /** Undefined: UDP. Else TLS, with this certificate. */
  readonly ca?: string
}

export interface TurnUser {
  readonly username: string
  readonly credential: string
}

/** An error's code; 0: it was granted. */
export type Verdict = number

const ALLOCATE = 0x0003
const CREATE_PERMISSION = 0x0008
const ERROR = 0x0110
const COOKIE = 0x2112a442
const USERNAME = 0x0006
const INTEGRITY = 0x0008
const ERROR_CODE = 0x0009
const PEER = 0x0012
const REALM = 0x0014
const NONCE = 0x0015
const FAMILY = 0x0017
const TRANSPORT = 0x0019

type Attribute = readonly [type: number, value: Buffer]

function attribute([type, value]: Attribute): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt16BE(type, 0)
  head.writeUInt16BE(value.length, 2)
  return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)])
}

function message(
  type: number,
  attributes: readonly Attribute[],
  key?: Buffer,
  transaction: Buffer = randomBytes(12),
): Buffer {
  const body = Buffer.concat(attributes.map(attribute))
  const head = Buffer.alloc(8)
  head.writeUInt16BE(type, 0)
  head.writeUInt16BE(body.length + (key === undefined ? 0 : 24), 2)
  head.writeUInt32BE(COOKIE, 4)
  const text = Buffer.concat([head, transaction, body])
  if (key === undefined) return text
  const mac = createHmac('sha1', key).update(text).digest()
  return Buffer.concat([text, attribute([INTEGRITY, mac])])
}

function read(answer: Buffer): { type: number; attributes: Map<number, Buffer> } {
  const attributes = new Map<number, Buffer>()
  for (let at = 20; at + 4 <= answer.length; ) {
    const length = answer.readUInt16BE(at + 2)
    attributes.set(answer.readUInt16BE(at), answer.subarray(at + 4, at + 4 + length))
    at += 4 + length + ((4 - (length % 4)) % 4)
  }
  return { type: answer.readUInt16BE(0), attributes }
}

/** XOR-PEER-ADDRESS: hidden from devices on the way that believe to know addresses better. */
function peer(address: string, transaction: Buffer): Buffer {
  const six = address.includes(':')
  const bytes = six ? ipv6(address) : address.split('.').map(Number)
  const mask = Buffer.alloc(16)
  mask.writeUInt32BE(COOKIE, 0)
  transaction.copy(mask, 4)
  const head = Buffer.from([0, six ? 2 : 1, 0x21, 0x12 ^ 9])
  return Buffer.concat([head, Buffer.from(bytes.map((byte, i) => byte ^ mask[i]!))])
}

function ipv6(address: string): number[] {
  const [before = '', after = ''] = address.split('::')
  const groups = (part: string) =>
    part === '' ? [] : part.split(':').map((it) => parseInt(it, 16))
  const [start, end] = [groups(before), groups(after)]
  const zeros = Array<number>(8 - start.length - end.length).fill(0)
  return [...start, ...zeros, ...end].flatMap((group) => [group >> 8, group & 255])
}

interface Line {
  ask(request: Buffer): Promise<Buffer>
  close(): void
}

async function overUdp(port: number): Promise<Line> {
  const socket = createSocket('udp4')
  socket.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return {
    async ask(request) {
      // A datagram may be lost, also on loopback, while the relay begins.
      const again = setInterval(() => socket.send(request), 500)
      socket.send(request)
      try {
        for (;;) {
          const [answer] = (await once(socket, 'message')) as [Buffer]
          if (answer.subarray(8, 20).equals(request.subarray(8, 20))) return answer
        }
      } finally {
        clearInterval(again)
      }
    },
    close: () => socket.close(),
  }
}

async function overTls(port: number, ca: string): Promise<Line> {
  const socket: TLSSocket = connect({ port, host: '127.0.0.1', ca, servername: 'localhost' })
  await once(socket, 'secureConnect')
  let held: Buffer = Buffer.alloc(0)
  return {
    async ask(request) {
      socket.write(request)
      while (held.length < 20 || held.length < 20 + held.readUInt16BE(2)) {
        const [part] = (await once(socket, 'data')) as [Buffer]
        held = Buffer.concat([held, part])
      }
      const end = 20 + held.readUInt16BE(2)
      const answer = held.subarray(0, end)
      held = held.subarray(end)
      return answer
    },
    close: () => socket.destroy(),
  }
}

/** Whether the relay gives an address to this user, and whether it would relay to each of the peers. */
export async function askRelay(
  { port, ca }: TurnServer,
  { username, credential }: TurnUser,
  peers: readonly string[] = [],
  family: 4 | 6 = 4,
): Promise<{ readonly allocation: Verdict; readonly peers: readonly Verdict[] }> {
  const line = ca === undefined ? await overUdp(port) : await overTls(port, ca)
  try {
    const wish: Attribute[] = [
      [TRANSPORT, Buffer.from([17, 0, 0, 0])],
      [FAMILY, Buffer.from([family === 6 ? 2 : 1, 0, 0, 0])],
    ]
    const challenge = read(await line.ask(message(ALLOCATE, wish))).attributes
    const [realm, nonce] = [challenge.get(REALM)!, challenge.get(NONCE)!]
    const key = createHash('md5').update(`${username}:${realm}:${credential}`).digest()
    const who: Attribute[] = [
      [USERNAME, Buffer.from(username)],
      [REALM, realm],
      [NONCE, nonce],
    ]
    const ask = async (type: number, what: readonly Attribute[], transaction?: Buffer) =>
      verdict(await line.ask(message(type, [...what, ...who], key, transaction)))
    const allocation = await ask(ALLOCATE, wish)
    const verdicts: Verdict[] = []
    for (const address of allocation === 0 ? peers : []) {
      const transaction = randomBytes(12)
      const what: Attribute = [PEER, peer(address, transaction)]
      verdicts.push(await ask(CREATE_PERMISSION, [what], transaction))
    }
    return { allocation, peers: verdicts }
  } finally {
    line.close()
  }
}

function verdict(answer: Buffer): Verdict {
  const { type, attributes } = read(answer)
  if ((type & ERROR) !== ERROR) return 0
  const code = attributes.get(ERROR_CODE)!
  return code[2]! * 100 + code[3]!
}
