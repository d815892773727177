/** Results that are mostly there at once. */
import type { Eventually } from "../common/volume/handover.ts"

/** Goes on with a result: at once if it is here, so that a call that need not wait ends in the turn in which it began. */
export function then<T, R>(result: Eventually<T>, next: (result: T) => Eventually<R>): Eventually<R> {
  return result instanceof Promise ? result.then(next) : next(result)
}

/** Runs `last` when the result is there or has failed: at once if it is here. `last` must not throw. */
export function lastly<T>(work: () => Eventually<T>, last: () => void): Eventually<T> {
  let result: Eventually<T>
  try {
    result = work()
  } catch (error) {
    last()
    throw error
  }
  if (result instanceof Promise) return result.finally(last)
  last()
  return result
}
