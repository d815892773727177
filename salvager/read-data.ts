/** Reads data files of a group, never more than asked for. */
import { pageSize, pagesMax } from "../common/directory/directory-page.ts"
import type { GroupModel } from "./model.ts"

/** The first bytes of a data file, at most `bytesMax`. */
export function readStart(group: GroupModel, file: number, bytesMax: number): Buffer {
  using opened = group.partition.disk.open(group.presentPath(file), "read")
  const bytes = Buffer.allocUnsafe(Math.min(group.files.size(file), bytesMax)) // what is not read is cut off
  return bytes.subarray(0, opened.read(bytes, 0))
}

/** Directory images of a group that are kept: a damaged one is looked at several times. */
const keptMax = 8
/** Larger ones are read anew each time, so that little memory is taken. */
const keptBytesMax = 1 << 16
const kept = new WeakMap<GroupModel, Map<number, Buffer>>()

/** A directory's data file as it is on disk, as far as a directory can reach. The bytes may be shared: leave them alone. */
export function readDirectory(group: GroupModel, file: number): Buffer {
  const images = kept.get(group) ?? new Map<number, Buffer>()
  kept.set(group, images)
  const known = images.get(file)
  if (known !== undefined) return known
  const image = readStart(group, file, pageSize * pagesMax)
  if (image.length > keptBytesMax) return image
  const [oldest] = images.keys()
  if (images.size >= keptMax && oldest !== undefined) images.delete(oldest)
  images.set(file, image)
  return image
}
