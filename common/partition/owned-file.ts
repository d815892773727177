/** Files with the owner data that an OpenAFS partition wants, or that belong to the owner of a development partition. */
import type { Disk, DiskFile } from "../disk/disk.ts"
import { encodeOwner, type OwnerData } from "./owner-data.ts"
import type { Partition } from "./partition.ts"

/** What of a partition says whose its files are. */
export type Ownership = Pick<Partition, "ownerEncoding" | "owner">

const developmentMode = 0o600
/** No bits at all, so that no umask has a say; what most data files keep. */
const createdMode = 0

export function isRoot(): boolean {
  return process.geteuid?.() === 0
}

/** Files and folders of a development partition belong to its owner even when root makes them. Others stay as they are. */
export function giveToOwner(place: Ownership, file: DiskFile): void {
  if (place.ownerEncoding === "development" && isRoot()) file.setOwner(place.owner.uid, place.owner.gid)
}

/** Gives a file owner data, or what a development partition has instead. `present`: the permission bits it is known to have. */
export function setFileOwner(place: Ownership, file: DiskFile, owner: OwnerData, present?: number): void {
  if (place.ownerEncoding === "development") {
    giveToOwner(place, file)
    file.setMode(developmentMode)
    return
  }
  const { uid, gid, mode } = encodeOwner(owner)
  file.setOwner(uid, gid)
  if (mode !== present) file.setMode(mode)
}

/** Creates a file with its owner data in a folder that is there. @throws DiskError EEXIST if the file exists */
export function createOwnedFile(disk: Disk, place: Ownership, path: string, owner: OwnerData): DiskFile {
  const file = disk.open(path, "create", createdMode)
  try {
    setFileOwner(place, file, owner, createdMode)
  } catch (error) {
    file.close()
    disk.unlink(path)
    throw error
  }
  return file
}
