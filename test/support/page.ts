/** A page of docs/, for tests that run what it shows: its chapters, and the code in them. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Test } from 'tap'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MODULES = join(ROOT, 'node_modules')

export interface Code {
  /** What stands behind the fence: `js`, `sh`; empty for a picture. */
  readonly language: string
  readonly text: string
  /** Where it belongs, by a comment in its first line: `// lib/sluice.js`. */
  readonly file: string | undefined
}

export interface Chapter {
  readonly title: string
  /** Without its code. */
  readonly text: string
  readonly code: readonly Code[]
}

/** Every chapter of the page, whatever its depth. */
export function readChapters(name: string): readonly Chapter[] {
  const page = readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
  const chapters: { title: string; text: string; code: Code[] }[] = []
  // A fence first: a comment in a script looks like a heading.
  for (const match of page.matchAll(/^```(\w*)\n([\s\S]*?)^```$|^#+ (.*)$|^.*$/gm)) {
    const [line, language, text, title] = match
    const chapter = chapters.at(-1)
    if (title !== undefined) chapters.push({ title, text: '', code: [] })
    else if (text === undefined) chapter!.text += `${line}\n`
    else {
      const file = /^(?:\/\/|#) ([\w./[\]-]+\.\w+)\n/.exec(text)?.[1]
      chapter!.code.push({ language: language!, text, file })
    }
  }
  return chapters
}

/** One chapter. Throws where there is none: the page has changed, and its test has to. */
export function readChapter(name: string, title: string): Chapter {
  const found = readChapters(name).find((chapter) => chapter.title === title)
  if (found === undefined) throw new Error(`${name} has no chapter "${title}"`)
  return found
}

/** The code of a chapter in one language. */
export const codeIn = (chapter: Chapter, language: string): string[] =>
  chapter.code.filter((code) => code.language === language).map(({ text }) => text)

/** Writes files into a directory of their own, which can import what this project can. */
export async function layOut(t: Test, files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-page-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  await symlink(MODULES, join(directory, 'node_modules'))
  await write(directory, files)
  return directory
}

/** Writes files into an application that has this project among its packages. */
export async function layOutApplication(
  t: Test,
  files: Readonly<Record<string, string>>,
  packages: readonly string[] = [],
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-app-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  await mkdir(join(directory, 'node_modules'))
  await symlink(ROOT, join(directory, 'node_modules/sluice'))
  for (const name of packages) {
    await symlink(join(MODULES, name), join(directory, 'node_modules', name))
  }
  await write(directory, files)
  return directory
}

async function write(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  const all = { 'package.json': '{"type":"module"}', ...files }
  for (const [file, text] of Object.entries(all)) {
    await mkdir(dirname(join(directory, file)), { recursive: true })
    await writeFile(join(directory, file), text)
  }
}

/** The files of a chapter, as `layOut` takes them. */
export function filesIn(chapter: Chapter): Record<string, string> {
  const named = chapter.code.filter(({ file }) => file !== undefined)
  return Object.fromEntries(named.map(({ file, text }) => [file!, text]))
}

type Env = Readonly<Record<string, string>>

/** Runs a script as a reader would type it, and gives what it printed. */
export async function runShell(script: string, env: Env = {}): Promise<string> {
  const options = { env: { PATH: process.env.PATH, ...env } }
  return (await promisify(execFile)('sh', ['-euc', script], options)).stdout
}

/** The settings that a script leaves behind for the gateway that it would start. */
export async function settingsOf(script: string, env: Env = {}): Promise<Record<string, string>> {
  const printed = await runShell(`${script.replace('npm start\n', '')}\nenv -0`, env)
  const entries = printed.split('\0').map((entry): [string, string] => {
    const at = entry.indexOf('=')
    return [entry.slice(0, at), entry.slice(at + 1)]
  })
  return Object.fromEntries(entries.filter(([name]) => name.startsWith('SLUICE_')))
}
