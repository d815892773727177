/** The syntax of names that clients want to give. OpenAFS viced/afsfileprocs.c (FileNameOK, CheckLength). */
import { AfsError } from "../common/error.ts"

const slash = 0x2f
/** Clients replace names that end so by the name of their system: nobody could reach the object. */
const sysSuffix = Buffer.from("@sys")

/** @throws AfsError EINVAL for a name that nothing may get */
export function requireNewName(name: Uint8Array): void {
  const endsInSys = Buffer.compare(name.subarray(-sysSuffix.length), sysSuffix) === 0
  if (name.length > 0 && !name.includes(slash) && !endsInSys) return
  throw new AfsError("EINVAL", "requireNewName", {}, { detail: JSON.stringify(Buffer.from(name).toString("latin1")) })
}

/** @throws AfsError EXDEV for fids of two volumes */
export function requireSameVolume(one: { readonly Volume: number }, other: { readonly Volume: number }): void {
  if (one.Volume !== other.Volume) throw new AfsError("EXDEV", "requireSameVolume", { volume: one.Volume })
}
