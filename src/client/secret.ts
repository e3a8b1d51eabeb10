/** 128 random bits in 32 characters: what names a session. Not randomUUID, which plain http:// pages don't have. */
export function createSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
