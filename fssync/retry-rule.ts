/** When a client tries again, and when it gives up. OpenAFS vol/daemon_com.c, as seen of its clients. Pure. */
import type { Millis } from "../common/clock.ts"

/** How a client behaves towards a server that is absent or breaks off. */
export interface RetryRule {
  /**
   * Pauses in seconds between tries to connect; after the last one the server counts as absent. Empty: absent at the first
   * refusal, as commands want it, whose user can see whether a server runs.
   */
  readonly connectPauses: readonly number[]
  /** A request is sent at most so often, */
  readonly triesMax: number
  /** and not again once this time has passed since it was first sent. */
  readonly tryWindowMs: Millis
}

/** What daemons do: 206 seconds for a server that is absent. */
export const patientRule: RetryRule = {
  connectPauses: [3, 3, 3, 5, 5, 5, 7, 15, 16, 24, 32, 40, 48],
  triesMax: 6,
  tryWindowMs: 120_000,
}

/** What commands do: a server that is absent is an error at once. */
export const impatientRule: RetryRule = { ...patientRule, connectPauses: [] }

/** What commands do once the server has answered: one that breaks off may just be started again, within 15 seconds. */
export const restartRule: RetryRule = { ...patientRule, connectPauses: [0.1, 0.2, 0.3, 0.4, 1, 1, 2, 2, 2, 3, 3] }

/** What the rule looks at. */
export interface Tried {
  /** How often it was sent. */
  readonly tries: number
  readonly firstSent: Millis
  readonly repeatable: boolean
}

/** Why a request whose connection broke is not sent again; undefined if it is. */
export function whyNotAgain(rule: RetryRule, tried: Tried, now: Millis): string | undefined {
  if (tried.tries === 0) return undefined
  if (!tried.repeatable) return "the connection broke before the answer; whether it was done is not known"
  if (tried.tries >= rule.triesMax) return `the connection broke ${tried.tries} times before the answer`
  if (now - tried.firstSent >= rule.tryWindowMs) return "the connection broke before the answer, again and again"
  return undefined
}
