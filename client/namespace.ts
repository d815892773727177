/** Making, removing and moving names. */
import { AfsError, isAfsError } from "../common/error.ts"
import type { AFSFid } from "../common/protocol/afs-types.ts"
import { ask } from "./ask.ts"
import { isDirectoryFid, type Target } from "./fid.ts"
import type { Fileserver } from "./fileserver.ts"
import { type ObjectStatus, objectStatus, type StatusChange, storeStatus } from "./status.ts"
import { findName, listDirectory, type NamedPlace } from "./tree.ts"

/** What clients give mount points: nobody may execute them. */
const mountPointMode = 0o644
const symlinkMode = 0o755

const inDirectory = ({ directory, name }: NamedPlace) => ({ DirFid: directory, Name: name })

/** @throws AfsError EEXIST, EACCES …, as all of these */
export async function createFile(server: Fileserver, place: NamedPlace, fields: StatusChange): Promise<ObjectStatus> {
  const call = server.rxafs.CreateFile({ ...inDirectory(place), InStatus: storeStatus(fields) })
  const { OutFid, OutFidStatus } = await ask("create", place.directory, call, place.name)
  return objectStatus(OutFid, OutFidStatus)
}

export async function makeDirectory(
  server: Fileserver,
  place: NamedPlace,
  fields: StatusChange,
): Promise<ObjectStatus> {
  const call = server.rxafs.MakeDir({ ...inDirectory(place), InStatus: storeStatus(fields) })
  const { OutFid, OutFidStatus } = await ask("mkdir", place.directory, call, place.name)
  return objectStatus(OutFid, OutFidStatus)
}

/** Makes every directory of a path that is not there; gives the last. */
export async function makeDirectories(server: Fileserver, target: Target, fields: StatusChange): Promise<AFSFid> {
  let at = target.base
  for (const name of target.names) {
    const place = { directory: at, name }
    at = (await findName(server, place)) ?? (await makeOrFind(server, place, fields))
  }
  return at
}

/** Somebody else may make it at the same time. */
async function makeOrFind(server: Fileserver, place: NamedPlace, fields: StatusChange): Promise<AFSFid> {
  try {
    return (await makeDirectory(server, place, fields)).fid
  } catch (error) {
    const found = isAfsError(error, "EEXIST") ? await findName(server, place) : undefined
    if (found === undefined) throw error
    return found
  }
}

/** `contents` are stored as they are. */
export async function makeSymlink(server: Fileserver, place: NamedPlace, contents: Uint8Array): Promise<ObjectStatus> {
  return await symlink(server, place, contents, symlinkMode)
}

/** A mount point of a volume by its name; `readWrite`: of that very volume, even where there are replicas. */
export async function makeMountPoint(
  server: Fileserver,
  place: NamedPlace,
  volume: string,
  readWrite: boolean,
): Promise<ObjectStatus> {
  return await symlink(server, place, Buffer.from(`${readWrite ? "%" : "#"}${volume}.`), mountPointMode)
}

async function symlink(
  server: Fileserver,
  place: NamedPlace,
  contents: Uint8Array,
  mode: number,
): Promise<ObjectStatus> {
  const InStatus = storeStatus({ mode })
  const call = server.rxafs.Symlink({ ...inDirectory(place), LinkContents: contents, InStatus })
  const { OutFid, OutFidStatus } = await ask("symlink", place.directory, call, place.name)
  return objectStatus(OutFid, OutFidStatus)
}

/** A further name of a file, in its own directory. @throws AfsError EXDEV in another directory */
export async function makeLink(server: Fileserver, place: NamedPlace, existing: AFSFid): Promise<ObjectStatus> {
  const call = server.rxafs.Link({ ...inDirectory(place), ExistingFid: existing })
  return objectStatus(existing, (await ask("link", place.directory, call, place.name)).OutFidStatus)
}

/** A file, symlink or mount point. @throws AfsError EISDIR for a directory */
export async function removeFile(server: Fileserver, place: NamedPlace): Promise<void> {
  await ask("remove", place.directory, server.rxafs.RemoveFile(inDirectory(place)), place.name)
}

/** @throws AfsError ENOTEMPTY (which servers call EEXIST), ENOTDIR for a file */
export async function removeDirectory(server: Fileserver, place: NamedPlace): Promise<void> {
  try {
    await ask("rmdir", place.directory, server.rxafs.RemoveDir(inDirectory(place)), place.name)
  } catch (error) {
    throw isAfsError(error, "EEXIST") ? new AfsError("ENOTEMPTY", "rmdir", error.subject) : error
  }
}

/** Removes a name and, if it is a directory, all below it; mount points are removed and not entered. Gives how many objects. */
export async function removeTree(
  server: Fileserver,
  place: NamedPlace,
  fid: AFSFid,
  onRemoved?: (count: number) => void,
): Promise<number> {
  let count = 0
  const told = (): void => {
    count++
    onRemoved?.(count)
  }
  await removeBelow(server, place, fid, told)
  return count
}

async function removeBelow(server: Fileserver, place: NamedPlace, fid: AFSFid, told: () => void): Promise<void> {
  if (!isDirectoryFid(fid)) {
    await removeFile(server, place)
    return told()
  }
  for (const { name, fid: below } of await listDirectory(server, fid))
    await removeBelow(server, { directory: fid, name }, below, told)
  await removeDirectory(server, place)
  told()
}

export async function rename(server: Fileserver, from: NamedPlace, to: NamedPlace): Promise<void> {
  const names = { OldDirFid: from.directory, OldName: from.name, NewDirFid: to.directory, NewName: to.name }
  await ask("rename", from.directory, server.rxafs.Rename(names), from.name)
}

/** Mode, owner, group and time. */
export async function changeStatus(server: Fileserver, fid: AFSFid, change: StatusChange): Promise<ObjectStatus> {
  const { OutStatus } = await ask("change", fid, server.rxafs.StoreStatus({ Fid: fid, InStatus: storeStatus(change) }))
  return objectStatus(fid, OutStatus)
}
