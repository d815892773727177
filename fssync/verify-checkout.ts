/**
 * VerifyCheckout: is a volume still ours after we have locked it? The fileserver may have restarted between checkout and
 * lock and have attached the volume meanwhile; what it answers to QUERY_VOP tells. Pure.
 * OpenAFS vol/volume.c (FSYNC_VerifyCheckout).
 */
import { fssyncReasons, responses, type SyncAnswer, type SyncRequest, type VolumeOperationInfo } from "./message.ts"

/** `verified`: go on. `denied`: unlock and check out again. `error`: give up; it is not known who has the volume. */
export type CheckoutVerdict = "verified" | "denied" | "error"

/** What of a checkout is compared; who repeats it from another thread or connection still has it. */
export type CheckoutClaim = Pick<SyncRequest, "programType" | "pid" | "command" | "reason">

/** Verdict on the answer to QUERY_VOP for a volume that was checked out by `sent` (NEEDVOLUME or OFF). */
export function verifyCheckout(
  sent: CheckoutClaim,
  answer: SyncAnswer & { readonly payload?: VolumeOperationInfo | undefined },
): CheckoutVerdict {
  if (answer.response === responses.OK) {
    if (answer.payload === undefined) return "error"
    return isSame(sent, answer.payload.request) ? "verified" : "denied"
  }
  if (answer.response !== responses.FAILED) return "error"
  switch (answer.reason) {
    // a fileserver that does not know the volume there cannot have attached it
    case fssyncReasons.UNKNOWN_VOLID:
    case fssyncReasons.WRONG_PART:
      return "verified"
    case fssyncReasons.NO_PENDING_VOL_OP:
      return "denied"
    default:
      return "error"
  }
}

function isSame(sent: CheckoutClaim, found: CheckoutClaim): boolean {
  return (
    sent.programType === found.programType &&
    sent.pid === found.pid &&
    sent.command === found.command &&
    sent.reason === found.reason
  )
}
