import fc from 'fast-check'
import t from 'tap'
import { lines, words } from '../../src/cli/words.js'
import { collect } from '../client/speaker.js'

/** The bytes of a text in chunks cut anywhere, also within a character. */
async function* chunks(text: string, cuts: readonly number[]) {
  const bytes = Buffer.from(text)
  let from = 0
  for (const cut of cuts.map((c) => c % (bytes.length + 1)).sort((a, b) => a - b)) {
    yield bytes.subarray(from, cut)
    from = cut
  }
  yield bytes.subarray(from)
}

const texts = fc
  .array(fc.constantFrom(' ', '\n', '\r\n', '\t', 'a', 'Wort', '🦆', 'é', '\ufeff', ',', '\u00a0'))
  .map((parts) => parts.join(''))
const cuts = fc.array(fc.nat(200), { maxLength: 6 })

t.test('words joined are the text, to the byte, however it arrives', async (t) => {
  await fc.assert(
    fc.asyncProperty(texts, cuts, async (text, at) => {
      const parts = await collect(words(chunks(text, at)))
      if (parts.join('') !== text) throw new Error(JSON.stringify(parts))
      for (const part of parts.slice(0, -1)) {
        if (!/^\s*\S+$/.test(part)) throw new Error(`not one word: ${JSON.stringify(part)}`)
      }
    }),
  )
  t.pass('any text')
})

t.test('lines are what stands between line ends, however it arrives', async (t) => {
  await fc.assert(
    fc.asyncProperty(texts, cuts, async (text, at) => {
      const expected = text.split('\n').map((line, i, all) => {
        return i < all.length - 1 ? line.replace(/\r$/, '') : line
      })
      if (expected.at(-1) === '') expected.pop()
      const parts = await collect(lines(chunks(text, at)))
      if (parts.join('\n') !== expected.join('\n')) throw new Error(JSON.stringify(parts))
    }),
  )
  t.pass('any text')
})

t.test('a word is given as soon as it is whole', async (t) => {
  const given = words(
    (async function* () {
      yield 'one '
      yield 'tw'
      throw new Error('asked for more than was needed')
    })(),
  )
  t.match(await given.next(), { value: 'one' })
})
