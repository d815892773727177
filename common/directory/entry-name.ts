/** Which names a directory takes. docs/formats/directory.md; OpenAFS dir/dir.c and viced/afsfileprocs.c. */
import { AfsError } from "../error.ts"
import { nameLengthMax } from "./directory-page.ts"

const slash = 0x2f
const sysSuffix = Buffer.from("@sys")

/** What is wrong with a name as the name of an entry, or undefined: 1 to 255 bytes, none of them NUL or `/`. */
export function entryNameFault(name: Uint8Array): string | undefined {
  if (name.length === 0) return "name is empty"
  if (name.length > nameLengthMax) return `name has ${name.length} bytes, at most ${nameLengthMax} fit`
  if (name.includes(0)) return "name contains a NUL"
  if (name.includes(slash)) return "name contains a slash"
  return undefined
}

/** @throws AfsError EINVAL if no directory can hold the name. */
export function checkStoredName(name: Uint8Array, operation: string): void {
  const detail = entryNameFault(name)
  if (detail !== undefined) throw new AfsError("EINVAL", operation, {}, { detail })
}

/**
 * The check that a fileserver makes when a client creates a name: as stored names, and not ending in `@sys`, which clients
 * replace by the name of their system.
 * @throws AfsError EINVAL
 */
export function checkEntryName(name: Uint8Array, operation: string): void {
  checkStoredName(name, operation)
  const end = name.subarray(-sysSuffix.length)
  if (sysSuffix.equals(end)) throw new AfsError("EINVAL", operation, {}, { detail: "name ends in @sys" })
}
