/** The budget of pages: what is beyond it is gone, and not only counted so. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { createPageBudget, emptyPage, nextPage, type Page } from '../../src/hub/pages.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

t.test('a page that went is held by nobody', async (t) => {
  const released: Page[] = []
  const owner = { release: (page: Page) => void released.push(page) }
  const budget = createPageBudget(1_000)
  const page = (): Page => nextPage(emptyPage(0, 1), 1, 600, 0)
  let first: Page | undefined = page()
  const kept = new WeakRef(first.bytes)
  budget.add(owner, first)
  budget.add(owner, page())
  t.ok(released.shift() === first, 'the oldest goes')
  t.ok(budget.bytes < 1_200, 'and is counted no more')

  first = undefined
  // A WeakRef holds what it points to until the turn that made it is over.
  await new Promise(setImmediate)
  collect()
  t.equal(kept.deref(), undefined)
})
