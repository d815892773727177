/**
 * sysid: the UUID by which the location database and all clients know a server. Made once, then only read: a server with another
 * UUID is another server. Shared with OpenAFS's fileserver. OpenAFS viced/viced.c (ReadSysIdFile, WriteSysIdFile).
 */
import { randomUUID } from "node:crypto"
import { raw, struct, u32, u32le } from "../codec/struct.ts"
import { uuidBytes, uuidOfBytes } from "../codec/uuid.ts"
import { type Disk, isDiskError } from "../disk/disk.ts"
import { FormatError } from "../error.ts"

/** Words in the byte order of the machine, the UUID and the addresses behind it in network order. */
const sysidLayout = struct("sysid", 28, { magic: u32le, version: u32le, uuid: raw(16), count: u32le })
const addressLayout = struct("sysid", 4, { address: u32 })
/** Part of the format. */
const sysidMagic = 0x88aa_bbcc
const sysidVersion = 1

const pathIn = (directory: string): string => `${directory}/sysid`

/** The UUID in a state directory, undefined if there is no file. @throws FormatError for a file that is none */
export function readServerUuid(directory: string, disk: Disk): string | undefined {
  const path = pathIn(directory)
  const bytes = disk.readFile(path)
  if (bytes === undefined) return undefined
  const { magic, version, uuid } = sysidLayout.read(bytes, 0, path)
  if (magic !== sysidMagic) throw new FormatError("sysid", { path, offset: 0 }, hex(magic), hex(sysidMagic))
  if (version !== sysidVersion) throw new FormatError("sysid", { path, offset: 4 }, `${version}`, `${sysidVersion}`)
  return uuidOfBytes(uuid)
}

const hex = (word: number): string => `0x${word.toString(16)}`

/**
 * The UUID in a state directory; one is made, with these addresses beside it for people to see, if there is none. The file
 * appears whole, and never replaces another.
 * @throws FormatError for a file that is none: only people can say who this server is; DiskError
 */
export function ensureServerUuid(directory: string, addresses: readonly number[], disk: Disk): string {
  const known = readServerUuid(directory, disk)
  if (known !== undefined) return known
  const made = uuidOfBytes(uuidBytes(randomUUID()))
  return placeWhole(directory, sysidBytes(made, addresses), disk) ? made : ensureServerUuid(directory, addresses, disk)
}

function sysidBytes(uuid: string, addresses: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(sysidLayout.size + addressLayout.size * addresses.length)
  const head = { magic: sysidMagic, version: sysidVersion, uuid: uuidBytes(uuid), count: addresses.length }
  sysidLayout.write(head, bytes)
  for (const [index, address] of addresses.entries())
    addressLayout.write({ address }, bytes, sysidLayout.size + addressLayout.size * index)
  return bytes
}

/** False if somebody else's file is there already. */
function placeWhole(directory: string, bytes: Uint8Array, disk: Disk): boolean {
  const draft = `${pathIn(directory)}.${process.pid}`
  removeIfThere(draft, disk)
  try {
    using file = disk.open(draft, "create", 0o644)
    file.write(bytes, 0)
    file.sync()
    disk.link(draft, pathIn(directory))
    disk.syncDirectory(directory)
    return true
  } catch (error) {
    if (isDiskError(error, "EEXIST")) return false
    throw error
  } finally {
    removeIfThere(draft, disk)
  }
}

function removeIfThere(path: string, disk: Disk): void {
  try {
    disk.unlink(path)
  } catch (error) {
    if (!isDiskError(error, "ENOENT")) throw error
  }
}
