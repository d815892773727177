/** Names in a volume: from a path to a fid, and what a directory holds. A client looks names up itself, in the directory's pages. */
import { Directory } from "../common/directory/directory.ts"
import { pageSize, pagesMax } from "../common/directory/directory-page.ts"
import { AfsError } from "../common/error.ts"
import { type AFSFid, afsLimits } from "../common/protocol/afs-types.ts"
import { ask } from "./ask.ts"
import { fetchWhole } from "./contents.ts"
import { fidText, isDirectoryFid, namesOf, type Target } from "./fid.ts"
import type { Fileserver } from "./fileserver.ts"
import { plainCode } from "./server-error.ts"
import { type ObjectStatus, objectStatus } from "./status.ts"

/** Symlinks on one way. */
const linksMax = 16
const directoryBytesMax = pageSize * pagesMax
/** Mount points are symlinks that nobody may execute. */
const anyExecute = 0o111

/** A name, and the directory that has it or is to have it. */
export interface NamedPlace {
  readonly directory: AFSFid
  readonly name: Uint8Array
}

export async function fetchStatus(server: Fileserver, fid: AFSFid): Promise<ObjectStatus> {
  const { OutStatus } = await ask("stat", fid, server.rxafs.FetchStatus({ Fid: fid }))
  return objectStatus(fid, OutStatus)
}

/** A directory as its server has it now. @throws AfsError ENOTDIR; FormatError if its pages are none */
export async function fetchDirectory(server: Fileserver, fid: AFSFid): Promise<Directory> {
  if (!isDirectoryFid(fid)) throw notADirectory(fid)
  const { bytes } = await fetchWhole(server, fid, directoryBytesMax)
  return Directory.parse(bytes, `directory ${fidText(fid)}`)
}

const about = (fid: AFSFid, name?: Uint8Array) => ({
  volume: fid.Volume,
  vnode: fid.Vnode,
  path: name === undefined ? fidText(fid) : `${fidText(fid)}:${Buffer.from(name).toString()}`,
})

const notADirectory = (fid: AFSFid, name?: Uint8Array): AfsError => new AfsError("ENOTDIR", "look up", about(fid, name))

/** The fid behind a name, undefined if there is no such name. @throws AfsError ENOTDIR */
export async function findName(server: Fileserver, { directory, name }: NamedPlace): Promise<AFSFid | undefined> {
  const found = (await fetchDirectory(server, directory)).lookup(name)
  return found === undefined ? undefined : { Volume: directory.Volume, Vnode: found.vnode, Unique: found.unique }
}

/** The same. @throws AfsError ENOENT, ENOTDIR */
export async function lookUp(server: Fileserver, place: NamedPlace): Promise<AFSFid> {
  const found = await findName(server, place)
  if (found === undefined) throw new AfsError("ENOENT", "look up", about(place.directory, place.name))
  return found
}

/** What a symlink says. @throws AfsError EINVAL for another object */
export async function readLink(server: Fileserver, fid: AFSFid): Promise<Buffer> {
  const { bytes, status } = await fetchWhole(server, fid, afsLimits.path)
  if (status.type !== "symlink") throw new AfsError("EINVAL", "read link", about(fid), { detail: "no symbolic link" })
  return bytes
}

/** True for a symlink by which clients attach another volume's tree: its contents name that volume. */
export const isMountPoint = ({ type, mode }: ObjectStatus): boolean => type === "symlink" && (mode & anyExecute) === 0

/** The names that a symlink in a directory stands for. @throws AfsError EXDEV if it leads out of the volume */
async function linkNames(server: Fileserver, fid: AFSFid, status: ObjectStatus): Promise<Buffer[]> {
  const contents = (await readLink(server, fid)).toString()
  if (isMountPoint(status)) {
    const detail = `a mount point of ${contents}: that volume has to be named itself`
    throw new AfsError("EXDEV", "look up", about(fid), { detail })
  }
  if (!contents.startsWith("/")) return namesOf(contents)
  throw new AfsError("EXDEV", "look up", about(fid), { detail: `a symbolic link to ${contents}, out of the volume` })
}

/** A way that is not at its end. */
interface Way {
  at: AFSFid
  readonly names: Uint8Array[]
  links: number
}

/** One step; a symlink puts its names in front of what is left. `followsLast`: also if it is the last. */
async function step(server: Fileserver, way: Way, followsLast: boolean): Promise<void> {
  const name = way.names.shift() ?? Buffer.alloc(0)
  if (Buffer.from(name).equals(dot)) return
  const found = await lookUp(server, { directory: way.at, name })
  const isLast = way.names.length === 0
  if (isDirectoryFid(found) || (isLast && !followsLast)) {
    way.at = found
    return
  }
  const status = await fetchStatus(server, found)
  if (status.type !== "symlink") {
    if (!isLast) throw notADirectory(found, name)
    way.at = found
    return
  }
  if (++way.links > linksMax)
    throw new AfsError("EINVAL", "look up", about(found), { detail: "too many symbolic links" })
  way.names.unshift(...(await linkNames(server, found, status)))
}

const dot = Buffer.from(".")

/**
 * The object at the end of a path. Symlinks inside the volume are followed, the last one if `followsLast`.
 * @throws AfsError ENOENT, ENOTDIR, EXDEV for a way out of the volume, and what the server refuses
 */
export async function resolve(server: Fileserver, target: Target, followsLast = true): Promise<AFSFid> {
  const way: Way = { at: target.base, names: [...target.names], links: 0 }
  while (way.names.length > 0) await step(server, way, followsLast)
  return way.at
}

/** The directory that has the last name of a path, or is to have it. @throws AfsError USAGE for a path without a name */
export async function resolvePlace(server: Fileserver, target: Target): Promise<NamedPlace> {
  const name = target.names.at(-1)
  if (name === undefined) throw new AfsError("USAGE", "look up", about(target.base), { detail: "a name is wanted" })
  const directory = await resolve(server, { base: target.base, names: target.names.slice(0, -1) })
  if (!isDirectoryFid(directory)) throw notADirectory(directory)
  return { directory, name }
}

/** A name in a directory, and what the server says of the object: its status, or the code it refuses with. */
export interface ListedEntry {
  readonly name: Buffer
  readonly fid: AFSFid
  readonly status: ObjectStatus | undefined
  /** 0, or the errno or AFS code why there is no status. */
  readonly code: number
}

/** All names but `.` and `..`, by name, each with its status. @throws AfsError, FormatError */
export async function listDirectory(server: Fileserver, fid: AFSFid): Promise<ListedEntry[]> {
  const directory = await fetchDirectory(server, fid)
  const names = [...directory.entries()]
    .filter(({ name }) => !name.equals(dot) && name.toString("latin1") !== "..")
    .map(({ name, vnode, unique }) => ({ name, fid: { Volume: fid.Volume, Vnode: vnode, Unique: unique } }))
    .sort((one, other) => one.name.compare(other.name))
  const listed: ListedEntry[] = []
  for (let at = 0; at < names.length; at += afsLimits.fids)
    listed.push(...(await statuses(server, fid, names.slice(at, at + afsLimits.fids))))
  return listed
}

async function statuses(
  server: Fileserver,
  directory: AFSFid,
  names: readonly Pick<ListedEntry, "name" | "fid">[],
): Promise<ListedEntry[]> {
  const FidsArray = names.map(({ fid }) => fid)
  const { StatArray } = await ask("list", directory, server.rxafs.InlineBulkStatus({ FidsArray }))
  return names.map(({ name, fid }, index) => {
    const status = StatArray[index]
    const isKnown = status !== undefined && status.errorCode === 0
    return {
      name,
      fid,
      status: isKnown ? objectStatus(fid, status) : undefined,
      code: plainCode((status?.errorCode ?? 0) | 0),
    }
  })
}
