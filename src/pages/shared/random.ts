/** Names that nobody else has; also where a page isn't a secure context and has no randomUUID. */
export function randomName(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(9))
  return Array.from(bytes, (byte) => byte.toString(36).padStart(2, '0')).join('')
}
