/** Reads data files of a group, never more than asked for. */
import { pageSize, pagesMax } from "../common/directory/directory-page.ts"
import type { GroupModel } from "./model.ts"

/** The first bytes of a data file, at most `bytesMax`. */
export function readStart(group: GroupModel, file: number, bytesMax: number): Buffer {
  const elsewhere = group.elsewhere.get(file)
  using opened =
    elsewhere === undefined
      ? group.store.open(group.presentInode(file), "read")
      : group.partition.disk.open(elsewhere, "read")
  const bytes = Buffer.alloc(Math.min(group.files.size(file), bytesMax))
  return bytes.subarray(0, opened.read(bytes, 0))
}

/** A directory's data file, as far as a directory can reach. */
export function readDirectory(group: GroupModel, file: number): Buffer {
  return readStart(group, file, pageSize * pagesMax)
}
