/** The functions of React that the hooks use: of its types nothing shows in theirs. */
declare module 'react' {
  export function useCallback<F>(callback: F, given: readonly unknown[]): F
  export function useMemo<T>(make: () => T, given: readonly unknown[]): T
  export function useSyncExternalStore<T>(
    subscribe: (listener: () => void) => () => void,
    getSnapshot: () => T,
    getServerSnapshot: () => T,
  ): T
}
