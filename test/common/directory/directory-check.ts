import test from "ava"
import { Directory, newDirectory } from "../../../common/directory/directory.ts"
import { type DirectoryFaultKind, findDirectoryFault } from "../../../common/directory/directory-check.ts"
import {
  bitmapAt,
  blobSize,
  chainOf,
  chainsAt,
  mapAt,
  markBlobs,
  pageCountAt,
  pageSize,
} from "../../../common/directory/directory-page.ts"
import { unique, type VnodeId, vnodeNumber } from "../../../common/ids.ts"
import { sampleDirectories } from "../../support/dump-samples.ts"

const id = (vnode: number, uniquifier: number): VnodeId => ({ vnode: vnodeNumber(vnode), unique: unique(uniquifier) })
const bytes = (name: string): Buffer => Buffer.from(name, "latin1")
const headAt = (name: string): number => chainsAt + 2 * chainOf(bytes(name))

/** `.` at blob 13, `..` at 14, `name 0` at 15 … `name 48` at 63, `name 49` at 65. */
function image(count = 80): Buffer {
  const directory = newDirectory(id(1, 1), id(1, 1))
  for (let index = 0; index < count; index++) directory.add(bytes(`name ${index}`), id(2 * index + 2, index + 1))
  return Buffer.from(directory.bytes)
}

const blobOf = (index: number): number => (index < 49 ? 15 + index : 16 + index)

test("directory check: every directory that vos dumped is sound", (t) => {
  for (const { dump, vnode, bytes: real } of sampleDirectories())
    t.is(findDirectoryFault(real), undefined, `${dump} ${vnode}`)
})

interface Case {
  readonly about: string
  readonly kind: DirectoryFaultKind
  readonly spoil: (directory: Buffer) => Buffer | undefined
  readonly text?: RegExp
  /** What OpenAFS's salvager lets pass. */
  readonly isNew?: true
}

/** Links another name's chain entry into a place, leaving the rest as it is. */
const link = (directory: Buffer, at: number, blob: number): undefined => {
  directory.writeUInt16BE(blob, at)
}
const put = (directory: Buffer, at: number, byte: number): undefined => {
  directory[at] = byte
}
const nameAt = (index: number): number => blobOf(index) * blobSize + 12

const cases: readonly Case[] = [
  {
    about: "nothing at all",
    kind: "short",
    spoil: () => Buffer.alloc(0),
    text: /page 0 is missing: the file has 0 bytes/,
  },
  { about: "half a page", kind: "short", spoil: (d) => d.subarray(0, 1000), text: /page 0/ },
  { about: "second page gone", kind: "short", spoil: (d) => d.subarray(0, pageSize), text: /page 1 is missing/ },
  { about: "tag of page 0", kind: "page-tag", spoil: (d) => void d.writeUInt16BE(0, 2), text: /page 0 has tag 0/ },
  {
    about: "tag of page 1",
    kind: "page-tag",
    spoil: (d) => void d.writeUInt16BE(9, pageSize + 2),
    text: /page 1 has tag 9/,
  },
  {
    about: "50 free in page 0",
    kind: "allocation-map",
    spoil: (d) => put(d, mapAt, 50),
    text: /50 free blobs, more than 49/,
  },
  { about: "65 free", kind: "allocation-map", spoil: (d) => put(d, mapAt + 1, 65), text: /page 1 has 65/ },
  {
    about: "page after the last",
    kind: "allocation-map",
    spoil: (d) => put(d, mapAt + 5, 3),
    text: /page 5 follows/,
  },
  { about: "too few pages", kind: "page-count", spoil: (d) => put(d, pageCountAt + 1, 1), text: /1 pages, but 2/ },
  {
    about: "map against bitmap",
    kind: "free-count",
    spoil: (d) => put(d, mapAt + 1, 2),
    text: /page 1 has \d+ free blobs, .* says 2/,
  },
  {
    about: "link out of the file",
    kind: "chain-range",
    spoil: (d) => link(d, headAt("name 3"), 128),
    text: /blob 128, of 128/,
  },
  {
    about: "circle",
    kind: "chain-circular",
    spoil: (d) => link(d, d.readUInt16BE(headAt("name 3")) * blobSize + 2, d.readUInt16BE(headAt("name 3"))),
  },
  { about: "empty name", kind: "entry-name", spoil: (d) => put(d, nameAt(7), 0), text: /blob 22 has an empty name/ },
  { about: "flag", kind: "entry-flag", spoil: (d) => put(d, blobOf(7) * blobSize, 3), text: /flag 3/ },
  {
    about: "no end of name",
    kind: "entry-name",
    spoil: (d) => void d.fill(0x78, nameAt(48), pageSize),
    text: /does not end/,
  },
  {
    about: "changed name",
    kind: "wrong-chain",
    spoil: (d) => put(d, nameAt(7), 0x4e),
    text: /blob 22 is in chain \d+, its name in \d+/,
  },
  { about: "another name at blob 13", kind: "dot", spoil: (d) => swapDot(d), text: /blob 13 is "name 0", not \./ },
  { about: "no dot", kind: "dot", spoil: (d) => link(d, headAt("."), 0), text: /no \. at blob 13/ },
  { about: "no dot dot", kind: "dot", spoil: (d) => link(d, headAt(".."), 0), text: /no \.\. at blob 14/ },
  { about: "lost chain", kind: "bitmap", spoil: (d) => link(d, headAt("name 3"), 0), text: /bitmap of page/ },
  {
    about: "free blob marked used",
    kind: "bitmap",
    spoil: (d) => {
      markBlobs(d, 127, 1, true)
      d[mapAt + 1] = (d[mapAt + 1] ?? 0) - 1
    },
    text: /bitmap of page 1/,
  },
  {
    about: "the same name twice",
    kind: "duplicate-name",
    isNew: true,
    spoil: twice,
    text: /"name 1" at blob 16 exists twice/,
  },
  { about: "one entry in another", kind: "overlap", isNew: true, spoil: nested, text: /blob \d+ overlaps/ },
  {
    about: "more bytes",
    kind: "trailing-bytes",
    isNew: true,
    spoil: (d) => Buffer.concat([d, Buffer.alloc(77)]),
    text: /77 bytes behind/,
  },
]

function swapDot(directory: Buffer): undefined {
  directory.set(directory.subarray(15 * blobSize, 16 * blobSize), 13 * blobSize)
  directory.writeUInt16BE(0, 13 * blobSize + 2)
  directory.writeUInt16BE(0, headAt("."))
  directory.writeUInt16BE(13, headAt("name 0"))
}

/** `name 0` becomes a second `name 1`, at the head of that chain. */
function twice(directory: Buffer): undefined {
  const next = directory.readUInt16BE(blobOf(0) * blobSize + 2)
  directory.writeUInt16BE(next, headAt("name 0"))
  directory.write("name 1\0", nameAt(0), "latin1")
  directory.writeUInt16BE(directory.readUInt16BE(headAt("name 1")), blobOf(0) * blobSize + 2)
  directory.writeUInt16BE(blobOf(0), headAt("name 1"))
}

/** A name of 16 bytes has two blobs but ends in the first: another entry begins in the second. */
function nested(directory: Buffer): Buffer {
  const opened = Directory.parse(Buffer.from(directory))
  opened.add(bytes("sixteen bytes it"), id(2, 9))
  const grown = Buffer.from(opened.bytes)
  const blob = blobOf(80) + 1
  grown.set(grown.subarray(blobOf(7) * blobSize, (blobOf(7) + 1) * blobSize), blob * blobSize)
  grown.write("inner\0", blob * blobSize + 12, "latin1")
  grown.writeUInt16BE(grown.readUInt16BE(headAt("inner")), blob * blobSize + 2)
  grown.writeUInt16BE(blob, headAt("inner"))
  return grown
}

for (const { about, kind, spoil, text, isNew } of cases) {
  test(`directory check: ${about} is found as ${kind}`, (t) => {
    const sound = image()
    t.is(findDirectoryFault(sound), undefined)
    const spoiled = spoil(sound) ?? sound
    const fault = findDirectoryFault(spoiled)
    t.is(fault?.kind, kind, fault?.text)
    t.is(fault?.knownToOpenafs, isNew !== true)
    if (text !== undefined) t.regex(fault?.text ?? "", text)
    t.true((fault?.offset ?? -1) >= 0 && (fault?.offset ?? 0) <= spoiled.length)
  })
}

test("directory check: the bitmap of pages behind the allocation map is checked too", (t) => {
  const directory = newDirectory(id(1, 1), id(1, 1))
  for (let index = 0; directory.pageCount < 130; index++)
    directory.add(bytes(`${index}`.padEnd(250, "n")), id(2, index + 1))
  const spoiled = Buffer.from(directory.bytes)
  t.is(findDirectoryFault(spoiled), undefined)
  spoiled[129 * pageSize + bitmapAt + 7] = 0x80
  t.deepEqual(
    [findDirectoryFault(spoiled)?.kind, findDirectoryFault(spoiled)?.offset],
    ["bitmap", 129 * pageSize + bitmapAt + 7],
  )
})

test("directory check: more pages than any directory has are a fault that OpenAFS does not know", (t) => {
  const directory = newDirectory(id(1, 1), id(1, 1))
  for (let index = 0; directory.pageCount < 1023; index++)
    directory.add(bytes(`${index}`.padEnd(250, "n")), id(2, index + 1))
  const grown = Buffer.concat([directory.bytes, directory.bytes.subarray(1022 * pageSize)])
  grown.writeUInt16BE(1024, pageCountAt)
  grown.fill(0, 1023 * pageSize + bitmapAt, 1023 * pageSize + bitmapAt + 8)
  grown[1023 * pageSize + bitmapAt] = 1
  t.deepEqual([findDirectoryFault(grown)?.kind, findDirectoryFault(grown)?.knownToOpenafs], ["too-many-pages", false])
})

test("directory check: a page count of 0 is sound in old directories", (t) => {
  const old = image()
  old[pageCountAt + 1] = 0
  t.is(findDirectoryFault(old), undefined)
})
