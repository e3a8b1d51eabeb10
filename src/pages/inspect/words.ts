/** Numbers, sizes and times as people read them. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const tenth = new Intl.NumberFormat('en', { maximumFractionDigits: 1 })
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

export const count = (value: number): string => whole.format(value)
/** 12,300 → 12.3K: where there is little room. */
export const brief = (value: number): string =>
  value < 10_000 ? count(value) : short.format(value)
/** Of a rate: small ones with a digit more. */
export const rate = (value: number): string => (value < 10 ? tenth : whole).format(value)
export const percent = (value: number): string => `${whole.format(value * 100)} %`

export function bytes(value: number): string {
  if (value < 1024) return `${whole.format(value)} B`
  const power = Math.min(4, Math.floor(Math.log2(value) / 10))
  return `${tenth.format(value / 1024 ** power)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`
}

/** 95 s → 1 min. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86_400)} d`
}

const two = (value: number) => String(value).padStart(2, '0')

/** By this machine's clock. */
export function clock(ms: number, parts = false): string {
  const date = new Date(ms)
  const text = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  return parts ? `${text}.${String(date.getMilliseconds()).padStart(3, '0')}` : text
}
