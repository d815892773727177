/**
 * Codes that travel between programs of an AFS server, one row each; the numbers never change.
 * volume-package errors: OpenAFS afs/errors.h; volserver errors: OpenAFS volser/volerr.et.
 */

interface CodeRow {
  /** Number on the wire; undefined for codes that exist only inside this suite. */
  readonly number: number | undefined
  readonly sentence: string
}

export const codes = {
  VSALVAGE: { number: 101, sentence: "volume needs salvage" },
  VNOVNODE: { number: 102, sentence: "no such vnode" },
  VNOVOL: { number: 103, sentence: "volume is not attached, does not exist, or cannot be brought online" },
  VVOLEXISTS: { number: 104, sentence: "volume already exists" },
  VNOSERVICE: { number: 105, sentence: "volume is not in service" },
  VOFFLINE: { number: 106, sentence: "volume is offline" },
  VONLINE: { number: 107, sentence: "volume is already online" },
  VDISKFULL: { number: 108, sentence: "partition is full" },
  VOVERQUOTA: { number: 109, sentence: "volume is over its quota" },
  VBUSY: { number: 110, sentence: "volume is busy" },
  VMOVED: { number: 111, sentence: "volume has moved to another server" },
  VIO: { number: 112, sentence: "input/output error" },
  VSALVAGING: { number: 113, sentence: "volume is being salvaged" },
  VRESTARTING: { number: -100, sentence: "server is restarting" },
  VREADONLY: { number: 30, sentence: "volume is read-only" },
  VOLSERVOLBUSY: { number: 1_492_325_133, sentence: "a transaction on this volume is already running" },
  EXDEV: { number: 18, sentence: "not within one volume, directory or partition" },
  EINVAL: { number: 22, sentence: "invalid argument" },
  EEXIST: { number: 17, sentence: "name exists" },
  ENOENT: { number: 2, sentence: "no such name" },
  EFBIG: { number: 27, sentence: "too large" },
  EACCES: { number: 13, sentence: "permission denied" },
  EMLINK: { number: 31, sentence: "link count is at its maximum" },
  EPERM: { number: 1, sentence: "operation not permitted" },
  E2BIG: { number: 7, sentence: "too long" },
  EAGAIN: { number: 11, sentence: "locked by somebody else, try again" },
  ENOTDIR: { number: 20, sentence: "not a directory" },
  EISDIR: { number: 21, sentence: "is a directory or a symbolic link" },
  ENAMETOOLONG: { number: 36, sentence: "name is too long" },
  ENOTEMPTY: { number: 39, sentence: "directory is not empty" },
  /** A directory would come to lie below itself: ELOOP of another system, which OpenAFS's fileservers send as it is. */
  ELOOP_QUIRK: { number: 90, sentence: "a directory cannot be moved below itself" },
  /** A byte of `.volume.lock` (or another lock file) is held by someone else. Callers of the volume package see VNOVOL. */
  LOCKED: { number: undefined, sentence: "already locked" },
  /** FSSYNC or SALVSYNC refused the request. */
  DENIED: { number: undefined, sentence: "request was refused" },
  /** A peer's socket is absent or refuses connections. */
  UNREACHABLE: { number: undefined, sentence: "no server answers" },
  /** A peer that is there did not answer within the time that it was given. */
  TIMEDOUT: { number: undefined, sentence: "no answer in time" },
  /** A structure on disk or in a dump is not what its format says. */
  DAMAGED: { number: undefined, sentence: "data is damaged" },
  /** The operation was interrupted on request. */
  INTERRUPTED: { number: undefined, sentence: "interrupted" },
  /** Wrong command-line arguments. */
  USAGE: { number: undefined, sentence: "wrong arguments" },
} as const satisfies Record<string, CodeRow>

/** Name of a code; see `codes` for number and meaning. */
export type Code = keyof typeof codes

/** The program that has a volume: FSSYNC `programType` and VolumeInfo `inUse` (fssync-protocol, program types). */
export const programTypes = {
  none: 0,
  fileServer: 1,
  volumeUtility: 2,
  salvager: 3,
  salvageServer: 4,
  debugUtility: 5,
  volumeServer: 6,
  volumeSalvager: 7,
} as const
export type ProgramType = keyof typeof programTypes
export type ProgramTypeNumber = (typeof programTypes)[ProgramType]

/** Name of a program type number, or `unknown(n)` for a byte that no program writes. */
export function programTypeName(number: number): string {
  for (const [name, value] of Object.entries(programTypes)) if (value === number) return name
  return `unknown(${number})`
}

/** How a program other than the fileserver attaches a volume (FSSYNC NEEDVOLUME reason; OpenAFS vol/volume.h). */
export const attachModes = { READONLY: 1, CLONE: 2, VOLUPD: 3, DUMP: 4, SECRETLY: 5, PEEK: 6 } as const
export type AttachMode = keyof typeof attachModes

/** VolumeInfo `type`. */
export const volumeTypes = { RW: 0, RO: 1, BK: 2 } as const
export type VolumeType = keyof typeof volumeTypes
