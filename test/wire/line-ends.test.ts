import fc from 'fast-check'
import t from 'tap'
import { createLineEnds } from '../../src/wire/line-ends.js'

t.test('whatever ends a line is one LF, wherever the text is torn', async (t) => {
  const piece = fc.constantFrom('\r', '\n', '\r\n', 'a', '')
  fc.assert(
    fc.property(fc.array(fc.array(piece)), (torn) => {
      const parts = torn.map((pieces) => pieces.join(''))
      const withLf = createLineEnds()
      const whole = parts.join('').replaceAll('\r\n', '\n').replaceAll('\r', '\n')
      return t.equal(parts.map(withLf).join(''), whole)
    }),
  )
})

t.test('a CR ends its line at once', async (t) => {
  const withLf = createLineEnds()
  t.equal(withLf('a\r'), 'a\n')
  t.equal(withLf('\nb'), 'b')
})
