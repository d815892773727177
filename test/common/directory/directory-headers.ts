import test from "ava"
import { newDirectory } from "../../../common/directory/directory.ts"
import { usablePages } from "../../../common/directory/directory-headers.ts"
import { mapAt, noPage, pageSize } from "../../../common/directory/directory-page.ts"
import { FormatError } from "../../../common/error.ts"
import { unique, type VnodeId, vnodeNumber } from "../../../common/ids.ts"

const id = (vnode: number, uniquifier: number): VnodeId => ({ vnode: vnodeNumber(vnode), unique: unique(uniquifier) })

/** A directory of two pages, spoiled. */
function spoiled(spoil: (image: Buffer) => void): Buffer {
  const directory = newDirectory(id(1, 1), id(1, 1))
  for (let index = 0; index < 80; index++) directory.add(Buffer.from(`name ${index}`), id(2, index + 1))
  const image = Buffer.from(directory.bytes)
  spoil(image)
  return image
}

test("directory headers: a sound directory has the pages that it tells of, and bytes behind them do not count", (t) => {
  const image = spoiled(() => {})
  t.is(usablePages(image, undefined), 2)
  t.is(usablePages(Buffer.concat([image, Buffer.alloc(100)]), undefined), 2)
})

test("directory headers: what cannot be used is refused with file and offset", (t) => {
  const cases: readonly (readonly [string, Buffer, number, RegExp])[] = [
    ["empty", Buffer.alloc(0), 0, /0 bytes, wanted at least 2048/],
    ["cut", spoiled(() => {}).subarray(0, 2048), 0, /2 pages in 2048 bytes/],
    ["tag", spoiled((image) => image.writeUInt16BE(7, pageSize + 2)), pageSize + 2, /tag 7 in page 1, wanted 1234/],
    ["no pages", spoiled((image) => image.fill(0, 0, 2).fill(noPage, mapAt, mapAt + 1)), 0, /0 pages/],
    [
      "map: absent page",
      spoiled((image) => image.fill(noPage, mapAt + 1, mapAt + 2)),
      mapAt,
      /1 pages in the allocation map, wanted 2/,
    ],
    [
      "map: more pages",
      spoiled((image) => image.fill(3, mapAt + 2, mapAt + 3)),
      mapAt,
      /3 pages in the allocation map/,
    ],
    ["map: too free", spoiled((image) => image.fill(70, mapAt + 1, mapAt + 2)), mapAt + 1, /70 free blobs in page 1/],
    [
      "map: after the end",
      spoiled((image) => image.fill(9, mapAt + 9, mapAt + 10)),
      mapAt + 9,
      /9 free blobs in page 9/,
    ],
  ]
  for (const [about, image, offset, message] of cases) {
    const error = t.throws(() => usablePages(image, "/vicepa/d"), { instanceOf: FormatError, message }, about)
    t.deepEqual([error?.path, error?.offset], ["/vicepa/d", offset], about)
  }
})
