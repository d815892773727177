/** What an error of an attached volume says about the volume. */
import { type DiskError, isDiskError } from "../disk/disk.ts"
import { AfsError, FormatError, isAfsError, type Subject } from "../error.ts"

/** True if the volume has to be salvaged after this error. */
export function tellsDamage(error: unknown): boolean {
  return error instanceof FormatError || isAfsError(error, "VSALVAGE", "DAMAGED")
}

/** What a client gets for a failed file call. A process that is short of something asks it to try again. */
function codeOfDisk(error: DiskError): "VDISKFULL" | "EFBIG" | "VBUSY" | "VIO" {
  if (isDiskError(error, "ENOSPC", "EDQUOT")) return "VDISKFULL"
  if (isDiskError(error, "EFBIG")) return "EFBIG"
  return isDiskError(error, "EMFILE", "ENFILE", "ENOMEM") ? "VBUSY" : "VIO"
}

/** A failed file call that changed nothing, as clients get it: VDISKFULL, EFBIG, VBUSY or VIO. Other errors stay as they are. */
export function fileCallError(error: unknown, operation: string, subject: Subject): unknown {
  return isDiskError(error) ? new AfsError(codeOfDisk(error), operation, subject, { cause: error }) : error
}
