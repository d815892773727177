/** Fids as people write them: `536870915.1.1`, volume, vnode and uniquifier. */
import { AfsError } from "../common/error.ts"
import type { AFSFid } from "../common/protocol/afs-types.ts"

const wordMax = 0xffff_ffff
const fidPattern = /^(\d{1,10})\.(\d{1,10})\.(\d{1,10})$/

/** Every volume's root directory. */
export const rootOf = (volume: number): AFSFid => ({ Volume: volume, Vnode: 1, Unique: 1 })

export const fidText = ({ Volume, Vnode, Unique }: AFSFid): string => `${Volume}.${Vnode}.${Unique}`

/** Vnode numbers tell directories, which are odd, from files and symlinks. */
export const isDirectoryFid = ({ Vnode }: AFSFid): boolean => Vnode % 2 === 1

/** Undefined for a text that is no fid. */
export function parseFid(text: string): AFSFid | undefined {
  const words = fidPattern.exec(text)?.slice(1).map(Number)
  const [Volume = 0, Vnode = 0, Unique = 0] = words ?? []
  if (words === undefined || words.some((word) => word > wordMax)) return undefined
  return { Volume, Vnode, Unique }
}

/** What a command is about: a place in a volume, from a fid on. */
export interface Target {
  readonly base: AFSFid
  /** Names on the way from the base; none: the base itself. */
  readonly names: readonly Uint8Array[]
}

/**
 * `VOLUME:path` with the volume's number, from its root on, or `VOLUME` for the root; a fid; or `FID:path`, from that directory on. Slashes at either end
 * of the path mean nothing.
 * @throws AfsError USAGE
 */
export function parseTarget(text: string): Target {
  const colon = text.indexOf(":")
  const where = colon < 0 ? text : text.slice(0, colon)
  const path = colon < 0 ? "" : text.slice(colon + 1)
  const base = /^\d{1,10}$/.test(where) && Number(where) <= wordMax ? rootOf(Number(where)) : parseFid(where)
  if (base === undefined) {
    const detail = `${JSON.stringify(text)}: wanted VOLUME:path, a fid (volume.vnode.uniquifier), or FID:path`
    throw new AfsError("USAGE", "target", {}, { detail })
  }
  return { base, names: namesOf(path) }
}

/** The names in a path. */
export const namesOf = (path: string): Buffer[] =>
  path
    .split("/")
    .filter((name) => name !== "")
    .map((name) => Buffer.from(name))
