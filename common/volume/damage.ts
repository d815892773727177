/** What an error of an attached volume says about the volume. */
import { isDiskError } from "../disk/disk.ts"
import { AfsError, FormatError, isAfsError, type Subject } from "../error.ts"

/** True if the volume has to be salvaged after this error. */
export function tellsDamage(error: unknown): boolean {
  return error instanceof FormatError || isAfsError(error, "VSALVAGE", "DAMAGED")
}

/** What a client gets for a failed file call that changed nothing: VDISKFULL, EFBIG, or VIO. Other errors stay as they are. */
export function fileCallError(error: unknown, operation: string, subject: Subject): unknown {
  if (!isDiskError(error)) return error
  const full = isDiskError(error, "ENOSPC", "EDQUOT")
  const code = full ? "VDISKFULL" : isDiskError(error, "EFBIG") ? "EFBIG" : "VIO"
  return new AfsError(code, operation, subject, { cause: error })
}
