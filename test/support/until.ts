/** Asks a program that tells nobody when it is ready, until it says yes; for servers, not for tests' own waits. */
export async function until(
  what: string,
  holds: () => Promise<boolean> | boolean,
  timeout = 30_000,
): Promise<void> {
  const deadline = Date.now() + timeout
  let last = ''
  for (;;) {
    try {
      if (await holds()) return
      last = 'not so'
    } catch (error) {
      last = String(error)
    }
    if (Date.now() > deadline) throw new Error(`after ${timeout} ms still not ${what}: ${last}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
