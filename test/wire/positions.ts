/** Positions as arbitraries, and texts that are none. */
import fc from 'fast-check'
import { COUNTERS, MAX_MS, type Position, TAGS } from '../../src/wire/position.js'

export const positionWithin = (min: number, max: number): fc.Arbitrary<Position> =>
  fc
    .tuple(fc.integer({ min, max }), fc.nat(COUNTERS - 1), fc.nat(TAGS - 1))
    .map(([ms, counter, tag]) => ({ order: ms * COUNTERS + counter, tag }))

export const anyPosition = positionWithin(0, MAX_MS - 1)

export const NOT_POSITIONS = [
  '',
  '-',
  '0',
  '0-',
  '-0',
  '1-1-1',
  '-1-1',
  '1--1',
  '+1-1',
  '01-1',
  '1-01',
  ' 1-1',
  '1-1 ',
  '1-1\n',
  '\r\n1-1',
  '1-1\0',
  '1\0-1',
  '1.0-1',
  '1e3-1',
  '0x1-1',
  'NaN-NaN',
  'Infinity-0',
  '1_0-1',
  '1%2D1',
  '%31-1',
  '2199023255552-0',
  '18446744073709551616-0',
  '0-68719476736',
  '0-18446744073709551616',
  '٣-1',
  '1-१',
  '１-1',
  '1−1',
  '\ufeff1-1',
  '1-1\u2028',
  'earliest',
  'latest',
  '0-0,0-0',
  '*',
  '$',
  '9'.repeat(8192),
  `${'1'.repeat(4096)}-${'1'.repeat(4096)}`,
  '\0'.repeat(8192),
  'é'.repeat(8192),
] as const
