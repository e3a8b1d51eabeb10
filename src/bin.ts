#!/usr/bin/env node
import { main } from './cli/main.js'

const { stdin, stdout, stderr, env } = process
const code = await main(process.argv.slice(2), { stdin, stdout, stderr, env })
// `undefined`: a server is running, and ends the process itself. Else exit at once: an stdin that
// nobody reads to its end (a pipe from a program that goes on) would keep the process alive.
if (code !== undefined) process.exit(code)
