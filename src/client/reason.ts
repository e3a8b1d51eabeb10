/** fetch says "fetch failed"; what failed is in its cause, at times in a list of causes. */
export function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: { message?: string; code?: string } }
  return cause?.message || cause?.code || (error as Error).message
}
