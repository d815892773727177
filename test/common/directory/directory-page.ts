import test from "ava"
import {
  bitmapAt,
  blobsNeeded,
  chainOf,
  chainsAt,
  directoryHeaderLayout,
  entryLayout,
  findFreeBlobs,
  freeBlobsOf,
  headerBlobsOf,
  initPage,
  isEntryBlob,
  isMarked,
  mapAt,
  mappedPages,
  markBlobs,
  nameAt,
  nameLengthAt,
  pageCountOf,
  pageHeaderLayout,
  pageSize,
} from "../../../common/directory/directory-page.ts"

const chain = (name: string): number => chainOf(Buffer.from(name, "latin1"))

test("directory page: headers and entries lie where OpenAFS has them", (t) => {
  t.deepEqual([pageHeaderLayout.size, directoryHeaderLayout.size, entryLayout.size], [32, 384, 12])
  t.deepEqual([bitmapAt, mapAt, chainsAt, nameAt], [5, 32, 160, 12])
})

test("directory page: names hash as in a real directory", (t) => {
  const known = { ".": 46, "..": 68, a: 97, b: 98, "a name of more than sixteen bytes": 100, single: 6 }
  for (const [name, number] of Object.entries(known)) t.is(chain(name), number, name)
})

test("directory page: a hash with its top bit set counts from the end, and bytes are unsigned", (t) => {
  // Computed with bigint arithmetic, apart from the code under test.
  const slow = (name: string): number => {
    let hash = 0n
    for (const byte of Buffer.from(name, "latin1")) hash = (hash * 173n + BigInt(byte)) & 0xffff_ffffn
    const low = Number(hash & 127n)
    return low !== 0 && hash >= 0x8000_0000n ? 128 - low : low
  }
  const names = [
    "\xff\xfe\x80",
    "Makefile",
    "zzzzzzzz",
    "x".repeat(255),
    "\x01",
    "longer.name.here",
    "\xc3\xa9t\xc3\xa9",
  ]
  for (let index = 0; index < 500; index++) names.push(`name-${index * 7919}-\xe9${index}`)
  for (const name of names) t.is(chain(name), slow(name), name)
  t.true(names.some((name) => chain(name) !== 0))
})

test("directory page: a name of 1 to 15 bytes takes one blob, and one more for each 32", (t) => {
  const needed: readonly (readonly [number, number])[] = [
    [1, 1],
    [15, 1],
    [16, 2],
    [47, 2],
    [48, 3],
    [79, 3],
    [239, 8],
    [240, 9],
    [255, 9],
  ]
  for (const [length, blobs] of needed) t.is(blobsNeeded(length), blobs, `${length}`)
})

test("directory page: a fresh page has its tag, its free count and its header blobs in use", (t) => {
  const bytes = new Uint8Array(2 * pageSize).fill(0xaa)
  initPage(bytes, 0)
  initPage(bytes, 1)
  const [first, other] = [pageHeaderLayout.read(bytes), pageHeaderLayout.read(bytes, pageSize)]
  t.deepEqual(
    [first.pageCount, first.tag, first.freeCount, other.pageCount, other.tag, other.freeCount],
    [1, 1234, 51, 0, 1234, 63],
  )
  t.is(Buffer.from(first.bitmap).toString("hex"), "ff1f000000000000")
  t.is(Buffer.from(other.bitmap).toString("hex"), "0100000000000000")
  const header = directoryHeaderLayout.read(bytes, 32)
  t.deepEqual([header.allocationMap[0], header.allocationMap[1], header.allocationMap[127]], [51, 64, 64])
  t.true(header.chains.every((head) => head === 0))
  t.deepEqual([freeBlobsOf(bytes, 0), freeBlobsOf(bytes, 1)], [51, 63])
  t.true(
    bytes.subarray(416, pageSize).every((byte) => byte === 0) &&
      bytes.subarray(pageSize + 32).every((byte) => byte === 0),
  )
})

test("directory page: the number of pages comes from the map where the count is 0, as in old directories", (t) => {
  const bytes = new Uint8Array(pageSize)
  initPage(bytes, 0)
  t.is(pageCountOf(bytes), 1)
  bytes[1] = 0
  bytes[mapAt + 1] = 12
  t.is(pageCountOf(bytes), 2)
  bytes.fill(0, mapAt, mapAt + 128)
  t.is(mappedPages(bytes), 128)
})

test("directory page: blobs are marked and found within their page only", (t) => {
  const bytes = new Uint8Array(2 * pageSize)
  initPage(bytes, 0)
  initPage(bytes, 1)
  t.deepEqual([findFreeBlobs(bytes, 0, 51), findFreeBlobs(bytes, 0, 52), findFreeBlobs(bytes, 1, 63)], [13, -1, 65])
  markBlobs(bytes, 70, 3, true)
  t.deepEqual(
    [69, 70, 72, 73].map((blob) => isMarked(bytes, blob)),
    [false, true, true, false],
  )
  t.deepEqual([findFreeBlobs(bytes, 1, 5), findFreeBlobs(bytes, 1, 6), freeBlobsOf(bytes, 1)], [65, 73, 60])
  markBlobs(bytes, 71, 1, false)
  t.deepEqual([findFreeBlobs(bytes, 1, 1), freeBlobsOf(bytes, 1), freeBlobsOf(bytes, 0)], [65, 61, 51])
  t.deepEqual(
    [headerBlobsOf(0), headerBlobsOf(1), isEntryBlob(12), isEntryBlob(13), isEntryBlob(64), isEntryBlob(65)],
    [13, 1, false, true, false, true],
  )
})

test("directory page: a name without its NUL in the page, in the file or within 256 bytes has no length", (t) => {
  const bytes = new Uint8Array(2 * pageSize).fill(0x78)
  t.is(nameLengthAt(bytes, 13), -1)
  bytes[13 * 32 + nameAt + 255] = 0
  t.is(nameLengthAt(bytes, 13), 255)
  bytes[pageSize] = 0
  t.is(nameLengthAt(bytes, 63), -1)
  bytes[pageSize - 1] = 0
  t.is(nameLengthAt(bytes, 63), 19)
  t.is(nameLengthAt(bytes.subarray(0, pageSize - 1), 63), -1)
  bytes[13 * 32 + nameAt] = 0
  t.is(nameLengthAt(bytes, 13), 0)
})
