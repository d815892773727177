/** Random numbers that can be had again: every user prints its seed, and DAFS_SEED gives it back. */
import type { ExecutionContext } from "ava"

/** A source of random numbers that is the same for the same seed (xorshift32). */
export interface Random {
  readonly seed: number
  /** 0 ≤ integer < `limit`, which is at most 2^32. */
  below(limit: number): number
  /** `count` random bytes. */
  bytes(count: number): Uint8Array
  /** One of them. */
  pick<T>(choices: readonly T[]): T
}

export function randomOf(seed: number): Random {
  let state = seed >>> 0 || 1
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  const below = (limit: number): number => Math.floor((next() / 2 ** 32) * limit)
  return {
    seed,
    below,
    bytes: (count) => Uint8Array.from({ length: count }, () => next() & 0xff),
    pick<T>(choices: readonly T[]): T {
      const chosen = choices[below(choices.length)]
      if (chosen === undefined) throw new Error("nothing to pick from")
      return chosen
    },
  }
}

/** A new seed, or that of DAFS_SEED; the test's log says which. */
export function seededRandom(t: Pick<ExecutionContext, "log">): Random {
  const given = process.env["DAFS_SEED"]
  const seed = given === undefined ? (Math.random() * 2 ** 32) >>> 0 : Number(given)
  t.log(`DAFS_SEED=${seed}`)
  return randomOf(seed)
}

/** Milliseconds that a fuzz test may take: a second, or DAFS_FUZZ_SECONDS. */
export const fuzzMs = 1000 * Number(process.env["DAFS_FUZZ_SECONDS"] ?? 1)

/** Runs `round` until the time is over, at least once; gives the number of rounds. */
export function fuzz(t: Pick<ExecutionContext, "log">, round: (random: Random, index: number) => void): number {
  const random = seededRandom(t)
  const end = performance.now() + fuzzMs
  let index = 0
  do round(random, index++)
  while (performance.now() < end)
  t.log(`${index} rounds`)
  return index
}
