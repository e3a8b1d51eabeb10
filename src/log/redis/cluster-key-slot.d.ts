declare module 'cluster-key-slot' {
  /** CRC16 of the key's hash tag, modulo 16384. */
  export default function calculateSlot(key: string): number
}
