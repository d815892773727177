import { truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import type { DiskFile } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { FormatError } from "../../../common/error.ts"
import { dataInode, specialInode } from "../../../common/partition/inode-number.ts"
import { indexPieces, pieceOffsetOf, readIndexPiece } from "../../../common/vnode/index-piece.ts"
import { encodeRecord, newVnodeIndex, VnodeIndex } from "../../../common/vnode/vnode-index.ts"
import {
  newVnodeRecord,
  recordInode,
  recordLength,
  recordOffset,
  type VnodeClass,
  type VnodeRecord,
  vnodeRecordLayout,
} from "../../../common/vnode/vnode-record.ts"
import { randomOf } from "../../support/random.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

/** An index file with these records. */
function indexOf(
  t: ExecutionContext,
  cls: VnodeClass,
  records: Readonly<Record<number, Partial<VnodeRecord>>>,
): DiskFile {
  const path = join(temporaryDirectory(t), `${cls}-index`)
  writeFileSync(path, newVnodeIndex(cls))
  const file = nodeDisk.open(path, "write")
  t.teardown(() => file.close())
  for (const [vnode, fields] of Object.entries(records)) {
    file.write(encodeRecord(cls, newVnodeRecord(cls, fields)), recordOffset(Number(vnode)))
  }
  return file
}

const inodeFields = (vnode: number, unique: number, tag: number): Partial<VnodeRecord> => {
  const { high, low } = dataInode(vnode, unique, tag)
  return { inodeHigh: high, inodeLow: low, uniquifier: unique }
}

test("index piece: says of every slot what the record's object says", (t) => {
  const random = randomOf(7)
  for (const cls of ["small", "large"] as const) {
    const first = cls === "small" ? 2 : 1
    const records = Object.fromEntries(
      Array.from({ length: 300 }, (_, index) => {
        const vnode = first + 2 * index
        const fields = {
          ...inodeFields(vnode, random.below(2 ** 32), random.below(5)),
          lengthLow: random.below(2 ** 32),
        }
        const more = { lengthHigh: random.below(1000), cloned: random.below(2), mode: random.below(4096) }
        return [vnode, { ...fields, ...more, type: random.below(4), linkCount: random.below(65_536) - 32_768 }]
      }),
    )
    const file = indexOf(t, cls, records)
    const slots = [...new VnodeIndex(file, cls).slots()].map(({ vnode, record, bytes }) => ({
      vnode,
      record,
      bytes: bytes.slice(),
    }))
    const [piece, ...more] = [...indexPieces(file, cls)]
    if (piece === undefined) return t.fail()
    t.deepEqual(more, [])
    t.is(piece.count, slots.length)
    for (const [slot, { vnode, record, bytes }] of slots.entries()) {
      t.is(piece.vnode(slot), vnode)
      t.is(piece.used(slot), record.type !== 0)
      t.is(piece.sound(slot), record.type !== 0)
      t.deepEqual(piece.inode(slot), recordInode(record))
      t.is(piece.tag(slot), (record.inodeLow >>> 26) & 7)
      t.is(piece.uniquifier(slot), record.uniquifier)
      t.is(piece.length(slot), recordLength(record))
      t.is(piece.isCloned(slot), record.cloned === 1)
      t.deepEqual(new Uint8Array(piece.record(slot)), bytes)
    }
  }
})

test("index piece: the cloned bit is set and cleared alone", (t) => {
  const record = { type: 2, mode: 0o7777, linkCount: -1 }
  const [piece] = [...indexPieces(indexOf(t, "large", { 1: record }), "large")]
  if (piece === undefined) return t.fail()
  piece.setCloned(0, true)
  t.like(vnodeRecordLayout.read(piece.record(0)), { ...record, cloned: 1 })
  piece.setCloned(0, false)
  t.like(vnodeRecordLayout.read(piece.record(0)), { ...record, cloned: 0 })
})

test("index piece: an inode that the vnode cannot have gives no tag, so that nobody counts with it", (t) => {
  const wrong: Partial<VnodeRecord>[] = [
    { inodeLow: 4, inodeHigh: 5 },
    { inodeLow: 2 + 5 * 2 ** 26 },
    { inodeLow: 2 + 7 * 2 ** 26 },
    { inodeLow: 0x8000_0002 },
    { inodeLow: specialInode(5, "smallIndex").low, inodeHigh: 5 },
    {},
  ]
  for (const fields of wrong) {
    const [piece] = [...indexPieces(indexOf(t, "small", { 2: { type: 1, ...fields } }), "small")]
    t.is(piece?.tag(0), undefined, JSON.stringify(fields))
  }
  const [sound] = [...indexPieces(indexOf(t, "small", { 2: { type: 1, ...inodeFields(2, 9, 4) } }), "small")]
  t.is(sound?.tag(0), 4)
  t.true(sound?.hasInode(0))
})

test("index piece: a used record without its magic is damage at its place, and not sound", (t) => {
  const file = indexOf(t, "small", { 2: { type: 1 }, 4: { type: 1, magic: 5 }, 6: {} })
  const [piece] = [...indexPieces(file, "small")]
  t.true(piece?.used(0))
  t.throws(() => piece?.used(1), {
    instanceOf: FormatError,
    message: `vnode 4 record in ${file.path} offset 128: found magic 0x5, wanted 0xda8c041f`,
  })
  t.deepEqual([piece?.sound(0), piece?.sound(1), piece?.sound(2)], [true, false, false])
  t.false(piece?.used(2))
})

test("index piece: a walk meets every slot once; a vnode's piece is found from its number", (t) => {
  for (const cls of ["small", "large"] as const) {
    const recordSize = cls === "small" ? 64 : 256
    const perPiece = 2 ** 20 / recordSize
    const first = cls === "small" ? 2 : 1
    const last = first + 2 * (2 * perPiece)
    const file = indexOf(t, cls, { [last]: { type: 1 } })
    const pieces = [...indexPieces(file, cls)]
    t.deepEqual(
      pieces.map(({ count }) => count),
      [perPiece, perPiece, 1],
    )
    t.deepEqual(
      pieces.map((piece) => piece.vnode(0)),
      [first, first + 2 * perPiece, last],
    )
    for (const piece of pieces) t.is(pieceOffsetOf(piece.vnode(piece.count - 1), cls), piece.offset)
  }
})

test("index piece: an empty index has none; half a record is damage; beyond the end are zeros", (t) => {
  const file = indexOf(t, "small", {})
  t.deepEqual([...indexPieces(file, "small")], [])
  const piece = readIndexPiece(file, "small", 64, 128)
  t.deepEqual([piece.count, piece.sound(0), piece.sound(1)], [2, false, false])
  truncateSync(file.path, 64 + 64 + 10)
  t.throws(() => [...indexPieces(file, "small")], {
    instanceOf: FormatError,
    message: `small vnode index in ${file.path} offset 128: found 10 bytes at the end, wanted whole records`,
  })
})

// A dump of a volume whose index had been cut within its first record lacked all files, and said nothing.
test("index piece: an index that ends within its first record is damage, not an empty one", (t) => {
  for (const [cls, sizes] of [
    ["small", [9, 63]],
    ["large", [9, 255]],
  ] as const) {
    const file = indexOf(t, cls, {})
    for (const size of sizes) {
      truncateSync(file.path, size)
      t.throws(() => [...indexPieces(file, cls)], { instanceOf: FormatError, message: new RegExp(`${size} bytes`) })
    }
    truncateSync(file.path, 8)
    t.deepEqual([...indexPieces(file, cls)], [])
  }
})

test("index piece: a hole larger than all vnode numbers is damage, not a walk of hours", (t) => {
  const file = indexOf(t, "small", {})
  truncateSync(file.path, 2 ** 40)
  t.throws(() => [...indexPieces(file, "small")], {
    instanceOf: FormatError,
    message: /found 1099511627776 bytes, wanted at most 2147483712/,
  })
})
