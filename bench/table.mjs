// Medians, the table and its numbers as people read them.

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** The runs of one side as one: the median of each figure, but the worst of what must never happen. */
export function summary(runs) {
  const worst = new Set(['lost', 'dead', 'refused', 'incomplete', 'disordered'])
  return Object.fromEntries(
    Object.keys(runs[0]).map((key) => {
      const values = runs.map((figures) => figures[key])
      return [key, worst.has(key) ? Math.max(...values) : median(values)]
    }),
  )
}

/** What makes a figure worthless however good it is. */
export function faults(figures) {
  const kinds = {
    lost: 'events lost',
    dead: 'streams died',
    refused: 'events refused',
    incomplete: 'readers incomplete',
    disordered: 'events out of order',
  }
  return Object.keys(kinds)
    .filter((key) => figures[key] > 0)
    .map((key) => `${figures[key]} ${kinds[key]}`)
}

export function compare(row, sides) {
  const ours = sides.ours?.[row.figure]
  const known = row.peers
    .map((name) => sides[name]?.[row.figure])
    .filter((value) => value !== undefined)
  const peer = known.length > 0 ? row.target.best(...known) : undefined
  const cells = [row.id, row.what, figure(peer, row), figure(ours, row)]
  if (peer === undefined || ours === undefined) return [...cells, '–', row.target.text, 'failed']
  const value = row.compare === 'difference' ? ours - peer : ours / peer
  const sound = faults(sides.ours).length === 0
  const shown =
    row.compare === 'difference'
      ? `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(1)}`
      : digits(value)
  return [...cells, shown, row.target.text, sound && row.target.met(value) ? 'ok' : 'MISS']
}

const UNITS = { p50: ' ms', p99: ' ms', rssPerStream: ' KB', rssMb: ' MB' }

function figure(value, row) {
  return value === undefined ? '–' : digits(value) + (UNITS[row.figure] ?? '/s')
}

function digits(value) {
  if (value >= 1e6) return `${(value / 1e6).toFixed(value >= 1e7 ? 1 : 2)}M`
  if (value >= 1e4) return `${(value / 1e3).toFixed(value >= 1e5 ? 0 : 1)}k`
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

export function table(rows) {
  const all = [['case', 'what', 'peer', 'ours', 'ratio', 'target', ''], ...rows]
  const widths = all[0].map((_, column) => Math.max(...all.map((cells) => cells[column].length)))
  const line = (cells) => {
    const padded = cells.map((cell, i) =>
      i < 2 || i === 6 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]),
    )
    return `| ${padded.join(' | ')} |`
  }
  const rule = widths.map((width) => '-'.repeat(width))
  return [line(all[0]), line(rule), ...all.slice(1).map(line)].join('\n')
}
