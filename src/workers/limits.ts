/** The numbers of the workers, each with what it stops. */

/** ms that a question to all workers may take: one that is frozen must not hold up an answer. */
export const ANSWER_MS = 200
/** ms that a worker waits for the primary's sum: its own deadline, and the way there and back. */
export const TOTAL_MS = 300
/** Questions under way at once; a flood of requests must not fill the pipes between the processes. */
export const MAX_QUESTIONS = 1000

/** ms that a worker must have served for its end to be no sign of a fault at start. */
export const STEADY_MS = 10_000
/** ms before the first replacement; doubled with each end in a row that came before STEADY_MS. */
export const FIRST_DELAY_MS = 100
export const LONGEST_DELAY_MS = 5_000
/** Such ends in a row of one worker after which, where no other serves either, nothing is hoped for. */
export const MAX_ENDS = 5
