/** The scenarios, with the client in this process. */
import t from 'tap'
import { nodeDriver } from './support/driver.js'
import { runScenarios } from './support/scenarios.js'

t.setTimeout(120_000)
t.test('in Node', (t) => runScenarios(t, nodeDriver))
