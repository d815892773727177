/** The syntax of names that clients want to give. OpenAFS viced/afsfileprocs.c (FileNameOK, CheckLength). */
import { nameLengthMax } from "../common/directory/directory-page.ts"
import { AfsError } from "../common/error.ts"

const slash = 0x2f
/** Clients replace names that end so by the name of their system: nobody could reach the object. */
const sysSuffix = Buffer.from("@sys")

const shown = (name: Uint8Array): string => JSON.stringify(Buffer.from(name).toString("latin1"))

/**
 * The protocol lets 256 bytes through, but a directory with such a name is damaged for OpenAFS's salvager, so none is made.
 * @throws AfsError EINVAL for a name that nothing may get, ENAMETOOLONG for one of 256 bytes
 */
export function requireNewName(name: Uint8Array): void {
  if (name.length > nameLengthMax) throw new AfsError("ENAMETOOLONG", "requireNewName", {}, { detail: shown(name) })
  const endsInSys = Buffer.compare(name.subarray(-sysSuffix.length), sysSuffix) === 0
  if (name.length > 0 && !name.includes(slash) && !endsInSys) return
  throw new AfsError("EINVAL", "requireNewName", {}, { detail: shown(name) })
}

/** @throws AfsError EXDEV for fids of two volumes */
export function requireSameVolume(one: { readonly Volume: number }, other: { readonly Volume: number }): void {
  if (one.Volume !== other.Volume) throw new AfsError("EXDEV", "requireSameVolume", { volume: one.Volume })
}
