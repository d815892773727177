/**
 * Which lock a program takes on a volume: one table for every program of a server, ours and OpenAFS's, because programs
 * that disagree about it do not exclude one another. OpenAFS vol/volume_inline.h (VVolLockType).
 */
import type { AttachMode, ProgramType } from "../protocol/codes.ts"
import type { LockType } from "./record-lock.ts"

/** What the decision asks of a volume: backup volumes count as `readonly`. */
export type VolumeAccess = "readwrite" | "readonly"

/** `create`: the volume is being made, or turned from read-only into read-write. */
export type LockPurpose = AttachMode | "create"

const byMode: Record<LockPurpose, Record<VolumeAccess, LockType | "none">> = {
  READONLY: { readwrite: "read", readonly: "read" },
  CLONE: { readwrite: "write", readonly: "read" },
  VOLUPD: { readwrite: "write", readonly: "write" },
  DUMP: { readwrite: "write", readonly: "read" },
  SECRETLY: { readwrite: "write", readonly: "write" },
  PEEK: { readwrite: "none", readonly: "none" },
  create: { readwrite: "write", readonly: "write" },
}

/**
 * The lock for attaching a volume of this type. The fileserver and the salvagers have no modes, theirs is ignored; every
 * other program must have one.
 * @throws TypeError if a program that needs a mode gives none: a mistake of the caller
 */
export function volumeLockType(
  program: ProgramType,
  mode: LockPurpose | undefined,
  volumeType: VolumeAccess,
): LockType | "none" {
  switch (program) {
    case "fileServer":
      return volumeType === "readwrite" ? "write" : "read"
    case "salvager":
    case "salvageServer":
    case "volumeSalvager":
      return "write"
    case "none":
    case "debugUtility":
    case "volumeServer":
    case "volumeUtility":
      if (mode === undefined) throw new TypeError(`volumeLockType: ${program} attaches no volume without a mode`)
      return byMode[mode][volumeType]
  }
}
