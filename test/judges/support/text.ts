/** Tokens as models give them, and as they would be chosen by whoever wants a relay to stumble. */
import { createHash } from 'node:crypto'
import { type Random, seeded } from '../../support/random.js'

const WORDS = [
  ...[' the', ' of', ' stream', ' token', ' und', ' Straße', ' naïve', ' 東京', ' привет', ' שלום'],
  ...[
    '.',
    ', ',
    '…',
    ' – ',
    '\n\n',
    '\t',
    ' "',
    '\\',
    '\\n',
    '{"',
    '`',
    '<b>',
    ' 3.14',
    '%s',
    '$&',
  ],
]

/** Characters in parts, line ends that belong to JSON, and what is a line of an event stream elsewhere. */
const TRAPS = [
  ...[
    '',
    '',
    '👩',
    '\u200d',
    '💻',
    '👩‍👩‍👧‍👦',
    '🇨',
    '🇭',
    'e',
    '\u0301',
    'a\u0323\u0308',
    '\ufe0f',
    '\ufeff',
  ],
  ...[
    '\r\n',
    '\r',
    '\n',
    '\r\n\r\n',
    '\u2028',
    '\u2029',
    '\u0085',
    '\u0000',
    '\u007f',
    '\u{10ffff}',
  ],
  ...[
    '[DONE]',
    '\ndata: [DONE]\n\n',
    'id: 0\n',
    'event: error\n',
    ': a comment\n',
    'data:',
    '\n\nretry: 1\n',
  ],
]

/** `count` tokens, the same for the same name and seed. */
export function tokensOf(name: string, seed: number, count = 500): string[] {
  const random = chanceOf(`${name} text`, seed)
  return Array.from({ length: count }, () => {
    const dice = random.next()
    if (dice < 0.3) return random.choose(TRAPS, 1)[0]!
    if (dice < 0.31) return random.choose(WORDS, 5).join('').repeat(random.between(10, 60))
    return random.choose(WORDS, 1)[0]!
  })
}

/** Chance of its own for each name: what runs beside it changes nothing. */
export function chanceOf(name: string, seed: number): Random {
  return seeded(createHash('sha256').update(`${seed} ${name}`).digest().readUInt32LE())
}
