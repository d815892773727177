/** Volume names: what may be given to a new volume, and the endings of clones. OpenAFS volser/vos.c, volser/volprocs.c. */
import { AfsError } from "../common/error.ts"
import { type VolumeType, volumeTypes } from "../common/protocol/codes.ts"
import { volumeNameMax } from "../common/volume/volume-info.ts"

/** A name as people write it, from VolumeInfo's bytes (one character each), and back. */
export const shownName = (stored: string): string => Buffer.from(stored, "latin1").toString("utf8")
export const storedName = (shown: string): string => Buffer.from(shown, "utf8").toString("latin1")

/** Endings that a name gets by the type of the volume. */
export const nameEndings: Readonly<Record<VolumeType, string>> = { RW: "", RO: ".readonly", BK: ".backup" }

/** Longest name of a read-write volume in bytes: its clones' names must fit too. */
const readWriteNameMax = volumeNameMax - nameEndings.RO.length

/** Type name of VolumeInfo's number, or undefined for a number that no server writes. */
export function volumeTypeName(type: number): VolumeType | undefined {
  for (const name of ["RW", "RO", "BK"] as const) if (volumeTypes[name] === type) return name
  return undefined
}

/** The name without the ending of a clone. */
export function baseName(name: string): string {
  for (const ending of [nameEndings.RO, nameEndings.BK]) if (name.endsWith(ending)) return name.slice(0, -ending.length)
  return name
}

/** Name of a volume's clone. @throws AfsError EINVAL if it would be too long */
export function cloneName(name: string, type: VolumeType): string {
  return requireStoredName(baseName(name) + nameEndings[type])
}

/**
 * A name for a read-write volume.
 * @throws AfsError EINVAL if it is empty, longer than 22 bytes, a number, ends like a clone's, or has a slash, a space or a
 * control character
 */
export function requireNewName(name: string): string {
  const fault = nameFault(name)
  if (fault === undefined) return name
  throw new AfsError("EINVAL", "volumeName", {}, { detail: `volume name ${JSON.stringify(name)} ${fault}` })
}

function nameFault(name: string): string | undefined {
  if (Buffer.byteLength(name) > readWriteNameMax) return `is longer than ${readWriteNameMax} bytes`
  if (/^\d+$/.test(name)) return "is a number: it would be taken for an id"
  if (baseName(name) !== name) return "ends like the name of a clone"
  return characterFault(name)
}

function characterFault(name: string): string | undefined {
  if (name === "") return "is empty"
  return /[\p{Cc}\s/]/u.test(name) ? "has a slash, a space or a control character" : undefined
}

/**
 * A name that VolumeInfo can hold, for clones and for what dumps and old servers bring.
 * @throws AfsError EINVAL
 */
export function requireStoredName(name: string): string {
  const fault = Buffer.byteLength(name) > volumeNameMax ? `is longer than ${volumeNameMax} bytes` : characterFault(name)
  if (fault === undefined) return name
  throw new AfsError("EINVAL", "volumeName", {}, { detail: `volume name ${JSON.stringify(name)} ${fault}` })
}
