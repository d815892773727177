import { ftruncateSync, openSync, readFileSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { FormatError } from "../../../common/error.ts"
import { encodeRecord, newVnodeIndex, VnodeIndex } from "../../../common/vnode/vnode-index.ts"
import { newVnodeRecord, recordOffset, type VnodeClass, vnodeRecordLayout } from "../../../common/vnode/vnode-record.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const classes: VnodeClass[] = ["small", "large"]

/** An index file with these vnodes in use; their uniquifier is ten times their number. */
function indexOf(t: ExecutionContext, cls: VnodeClass, vnodes: readonly number[]): VnodeIndex {
  const path = join(temporaryDirectory(t), `${cls}-index`)
  writeFileSync(path, newVnodeIndex(cls))
  const file = nodeDisk.open(path, "write")
  t.teardown(() => file.close())
  for (const vnode of vnodes) {
    const record = newVnodeRecord(cls, { type: cls === "large" ? 2 : 1, uniquifier: 10 * vnode, lengthLow: vnode })
    file.write(encodeRecord(cls, record, new Uint8Array(192).fill(vnode)), recordOffset(vnode))
  }
  return new VnodeIndex(file, cls)
}

test("vnode index: a fresh one is its stamp, as OpenAFS writes it, and holds no vnode", (t) => {
  t.is(Buffer.from(newVnodeIndex("small")).toString("hex"), "5566779901000000")
  t.is(Buffer.from(newVnodeIndex("large")).toString("hex"), "3344668801000000")
  for (const cls of classes) {
    const index = indexOf(t, cls, [])
    index.checkStamp()
    t.is(index.slotCount(), 0)
    t.deepEqual([...index.records()], [])
    t.deepEqual([...index.slots()], [])
    t.is(index.read(cls === "large" ? 1 : 2), undefined)
  }
})

test("vnode index: a stamp of the other class, of another version or cut off is damage at the file's beginning", (t) => {
  const index = indexOf(t, "small", [2])
  const { path } = index.file
  t.throws(() => new VnodeIndex(index.file, "large").checkStamp(), {
    instanceOf: FormatError,
    message: `large vnode index stamp in ${path} offset 0: found 0x99776655/1, wanted 0x88664433/1`,
  })
  index.file.write(Uint8Array.of(2), 4)
  t.throws(() => index.checkStamp(), { instanceOf: FormatError, message: /found 0x99776655\/2/ })
  index.file.truncate(7)
  t.throws(() => index.checkStamp(), { instanceOf: FormatError, message: /found 7 bytes, wanted 8/ })
})

test("vnode index: used vnodes are found by number and in order; free ones and those beyond the end are none", (t) => {
  const small = indexOf(t, "small", [2, 8, 4])
  t.deepEqual(
    [...small.records()].map(({ vnode, record, bytes }) => [vnode, record.uniquifier, bytes.length]),
    [
      [2, 20, 64],
      [4, 40, 64],
      [8, 80, 64],
    ],
  )
  t.is(small.read(6), undefined)
  t.is(small.read(10), undefined)
  t.is(small.read(2 ** 32 - 2), undefined)
  t.is(small.read(8)?.uniquifier, 80)
  t.deepEqual(
    [...small.slots()].map(({ vnode, record }) => [vnode, record.type]),
    [
      [2, 1],
      [4, 1],
      [6, 0],
      [8, 1],
    ],
  )
  t.is(small.slotCount(), 4)
})

test("vnode index: a directory's record carries its access list", (t) => {
  const large = indexOf(t, "large", [1, 5])
  t.deepEqual(large.readAccessList(5), new Uint8Array(192).fill(5))
  t.is(large.readBytes(5)?.length, 256)
  t.is(large.readAccessList(7), undefined)
  t.deepEqual(
    [...large.records()].map(({ vnode, bytes }) => [vnode, bytes.length, bytes[64]]),
    [
      [1, 256, 1],
      [5, 256, 5],
    ],
  )
})

test("vnode index: a freed directory's old access list does not make its slot used", (t) => {
  const large = indexOf(t, "large", [1, 3])
  large.file.write(new Uint8Array(64), recordOffset(3))
  t.is(large.read(3), undefined)
  t.deepEqual(
    [...large.records()].map(({ vnode }) => vnode),
    [1],
  )
  t.is(large.readAccessList(3)?.[0], 3)
})

test("vnode index: a vnode of the other class is a mistake of the caller, never another vnode's record", (t) => {
  const small = indexOf(t, "small", [2])
  t.throws(() => small.read(1), { instanceOf: RangeError })
  t.throws(() => indexOf(t, "large", [1]).readBytes(2), { instanceOf: RangeError })
})

test("vnode index: a used record without its magic is damage at its place, read singly or on a walk", (t) => {
  const small = indexOf(t, "small", [2, 4, 6])
  small.file.write(Uint8Array.of(0xfe, 0x65, 0x87, 0xad), 128 + 36)
  const message = `vnode 4 record in ${small.file.path} offset 128: found magic 0xad8765fe, wanted 0xda8c041f`
  t.throws(() => small.read(4), { instanceOf: FormatError, message })
  const met: number[] = []
  t.throws(
    () => {
      for (const { vnode } of small.records()) met.push(vnode)
    },
    { instanceOf: FormatError, message },
  )
  t.deepEqual(met, [2])
  t.deepEqual(
    [...small.slots()].map(({ vnode }) => vnode),
    [2, 4, 6],
    "a salvager sees all of them",
  )
})

test("vnode index: part of a record at the end is damage, but what is whole can still be seen", (t) => {
  for (const [cls, vnodes] of [
    ["small", [2, 4]],
    ["large", [1, 3]],
  ] as const) {
    const index = indexOf(t, cls, vnodes)
    const size = 3 * index.recordSize
    for (const more of [1, index.recordSize - 1]) {
      truncateSync(index.file.path, size + more)
      t.throws(() => [...index.records()], {
        instanceOf: FormatError,
        message: `${cls} vnode index in ${index.file.path} offset ${size}: found ${more} bytes of a record, wanted 8 bytes or whole records`,
      })
      t.is([...index.slots()].length, 2)
      t.is(index.slotCount(), 2)
    }
  }
})

test("vnode index: a hole larger than all vnode numbers is damage, not a walk of hours", (t) => {
  for (const cls of classes) {
    const index = indexOf(t, cls, [])
    const descriptor = openSync(index.file.path, "r+")
    ftruncateSync(descriptor, (2 ** 25 + 2) * index.recordSize)
    const message = new RegExp(`${cls} vnode index .*offset ${(2 ** 25 + 1) * index.recordSize}: found`)
    t.throws(() => [...index.slots()], { instanceOf: FormatError, message })
    t.throws(() => [...index.records()], { instanceOf: FormatError, message })
    t.throws(() => index.slotCount(), { instanceOf: FormatError, message })
    ftruncateSync(descriptor, (2 ** 25 + 1) * index.recordSize)
    t.is(index.slotCount(), 2 ** 25)
  }
})

test("vnode index: walks meet every slot once, whatever the length beside that of a piece", (t) => {
  for (const cls of classes) {
    const first = cls === "large" ? 1 : 2
    const perPiece = 2 ** 20 / (cls === "large" ? 256 : 64)
    for (const slots of [1, perPiece - 1, perPiece, perPiece + 1, 2 * perPiece + 3]) {
      const last = first + 2 * (slots - 1)
      const index = indexOf(t, cls, [first, last])
      let expected = first
      for (const { vnode } of index.slots()) {
        if (vnode !== expected) t.fail(`${vnode} instead of ${expected}`)
        expected += 2
      }
      t.is(expected, last + 2)
      t.is([...index.records()].at(-1)?.record.uniquifier, 10 * last)
    }
  }
})

test("vnode index: an encoded record is of its class's size, zeros where nothing was given", (t) => {
  const record = newVnodeRecord("large", { type: 2 })
  t.deepEqual(encodeRecord("large", record).subarray(64), new Uint8Array(192))
  t.deepEqual(encodeRecord("large", record, new Uint8Array(200).fill(7)).subarray(64), new Uint8Array(192).fill(7))
  const small = encodeRecord("small", newVnodeRecord("small", { type: 1 }), new Uint8Array(192).fill(7))
  t.is(small.length, 64)
  t.deepEqual(vnodeRecordLayout.read(small), newVnodeRecord("small", { type: 1 }))
})

test("vnode index: reading leaves the file as it was", (t) => {
  const index = indexOf(t, "small", [2, 4])
  const before = readFileSync(index.file.path)
  for (const _ of index.records()) index.read(4)
  t.deepEqual(readFileSync(index.file.path), before)
})
