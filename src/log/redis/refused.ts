/** This gateway must not work on what is there: to try again would not help. */
export class RefusedError extends Error {}
