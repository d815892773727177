/** What happens between a salvager and the fileserver, for people: on standard error. */
import type { OperationEvent } from "../fssync/volume-checkout.ts"

const texts = {
  checkedOutAgain: "the fileserver restarted: checked out again",
  notLocked: "no volume of its partition can be locked, so somebody may change them while they are looked at",
  notCheckedIn: "the fileserver could not be told",
  salvaging: "waiting for a salvage",
  draft: "a draft was dealt with",
} as const

export function reportOperation(event: OperationEvent): void {
  const why = "why" in event ? `: ${event.why}` : ""
  process.stderr.write(`dafs salvager: volume ${event.volume}: ${texts[event.type]}${why}\n`)
}
