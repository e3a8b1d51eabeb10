/** Who somebody in a call is shown as, whatever they say of themselves. */
import t from 'tap'
import type { Participant } from '../../src/client/index.js'
import { freeHue, HUES, hueOf, nameOf } from '../../src/pages/call/participant.js'

const participant = (data: Record<string, unknown>) => ({ id: 'p1', data }) as Participant

t.test('the name and the colour that they chose', async (t) => {
  const one = participant({ name: 'Wren', hue: HUES[0] })
  t.equal(nameOf(one), 'Wren')
  t.equal(hueOf(one), HUES[0])
  t.equal(freeHue(HUES[0]!, [one]), HUES[1])
  t.equal(nameOf(participant({ name: 'x'.repeat(300) })).length, 40)
})

t.test('what is neither is none', async (t) => {
  for (const odd of [undefined, null, [], { toString: null, valueOf: null }]) {
    const one = participant({ name: odd, hue: odd })
    t.equal(nameOf(one), 'p1', JSON.stringify(odd))
    t.equal(hueOf(one), 0, JSON.stringify(odd))
  }
})
