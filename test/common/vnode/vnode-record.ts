import test from "ava"
import { inodeText } from "../../../common/partition/inode-number.ts"
import {
  accessListOffset,
  accessListSize,
  classOf,
  lengthHalves,
  newVnodeRecord,
  recordInode,
  recordLength,
  recordOffset,
  vnodeAt,
  vnodeClasses,
  vnodeRecordLayout,
  vnodeTypes,
} from "../../../common/vnode/vnode-record.ts"
import { seededRandom } from "../../support/random.ts"

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"))

/** A file with three names, as OpenAFS stored it at offset 0x7c0 of a small index. */
const file = bytesOf(`
  411a 0300 1500 0000 6200 0000 0100 0000
  3e00 0000 6d62 016b fe7f 0000 fe7f 0000
  8500 0000 1f04 8cda 0000 0000 0000 0000
  6d62 016b 0000 0000 6200 0000 0000 0000`)

/** A directory at offset 0x5500 of a large index, without its access list. */
const directory = bytesOf(`
  d21e 0200 0008 0000 9700 0000 0000 0000
  a900 0000 6d62 016b fe7f 0000 fe7f 0000
  9d00 0000 fe65 87ad 0000 0000 0000 0000
  6e62 016b 0000 0000 9700 0000 0000 0000`)

test("vnode record: the worked example of a file with three names", (t) => {
  const record = vnodeRecordLayout.read(file)
  t.deepEqual(record, {
    type: vnodeTypes.file,
    cloned: 0,
    mode: 0o644,
    linkCount: 3,
    lengthLow: 21,
    uniquifier: 98,
    dataVersion: 1,
    inodeLow: 0x3e,
    unixModifyTime: 0x6b01_626d,
    author: 32_766,
    owner: 32_766,
    parent: 133,
    magic: vnodeClasses.small.recordMagic,
    lockCount: 0,
    lockTime: 0,
    serverModifyTime: 0x6b01_626d,
    group: 0,
    inodeHigh: 98,
    lengthHigh: 0,
  })
  t.is(inodeText(recordInode(record)), String(98n * 2n ** 32n + 62n))
  t.deepEqual(vnodeRecordLayout.encode(record), file)
})

test("vnode record: the worked example of a directory", (t) => {
  const record = vnodeRecordLayout.read(directory)
  t.like(record, { type: vnodeTypes.directory, cloned: 0, mode: 0o755, linkCount: 2, lengthLow: 2048, uniquifier: 151 })
  t.like(record, { dataVersion: 0, inodeLow: 169, parent: 157, magic: vnodeClasses.large.recordMagic, inodeHigh: 151 })
  t.deepEqual(vnodeRecordLayout.encode(record), directory)
})

test("vnode record: first words of mount points, links and roots of cloned volumes", (t) => {
  const first = (hex: string): object => {
    const bytes = new Uint8Array(64)
    bytes.set(bytesOf(hex))
    const { type, cloned, mode, linkCount } = vnodeRecordLayout.read(bytes)
    return { type, cloned, mode, linkCount }
  }
  t.deepEqual(first("431a 0100"), { type: 3, cloned: 0, mode: 0o644, linkCount: 1 })
  t.deepEqual(first("d31e 0100"), { type: 3, cloned: 0, mode: 0o755, linkCount: 1 })
  t.deepEqual(first("f21f 0200"), { type: 2, cloned: 0, mode: 0o777, linkCount: 2 })
  t.deepEqual(first("fa1f 0200"), { type: 2, cloned: 1, mode: 0o777, linkCount: 2 })
  t.deepEqual(first("ffff ffff"), { type: 7, cloned: 1, mode: 0o7777, linkCount: -1 })
})

test("vnode record: every field lies where the format says, with its sign", (t) => {
  t.deepEqual(
    { ...vnodeRecordLayout.offsets },
    {
      word: 0,
      lengthLow: 4,
      uniquifier: 8,
      dataVersion: 12,
      inodeLow: 16,
      unixModifyTime: 20,
      author: 24,
      owner: 28,
      parent: 32,
      magic: 36,
      lockCount: 40,
      lockTime: 44,
      serverModifyTime: 48,
      group: 52,
      inodeHigh: 56,
      lengthHigh: 60,
    },
  )
  const ones = vnodeRecordLayout.read(new Uint8Array(64).fill(0xff))
  const negative = Object.entries(ones).filter(([, value]) => value === -1)
  t.deepEqual(
    negative.map(([name]) => name),
    ["linkCount", "lockCount", "group"],
  )
  t.is(ones.owner, 0xffff_ffff, "user ids are kept as 32 bits without a sign")
  t.deepEqual([accessListOffset, accessListSize], [64, 192])
})

test("vnode record: every byte survives reading and writing", (t) => {
  const random = seededRandom(t)
  for (let round = 0; round < 5000; round++) {
    const bytes = random.bytes(64)
    t.deepEqual(vnodeRecordLayout.encode(vnodeRecordLayout.read(bytes)), bytes)
  }
})

test("vnode record: lengths above 2^31 and 2^32, exact up to 2^53", (t) => {
  const lengths = [0, 21, 2 ** 31 + 12, 2 ** 32 - 1, 2 ** 32, 4_294_967_321, 2 ** 53 - 1]
  for (const length of lengths) t.is(recordLength({ ...newVnodeRecord("small", {}), ...lengthHalves(length) }), length)
  t.deepEqual(lengthHalves(4_294_967_321), { lengthLow: 0x19, lengthHigh: 1 })
  t.deepEqual(lengthHalves(2_147_483_660), { lengthLow: 0x8000_000c, lengthHigh: 0 })
})

test("vnode record: odd numbers are large, even ones small, and lie where the format says", (t) => {
  const places: [number, "small" | "large", number][] = [
    [1, "large", 256],
    [2, "small", 64],
    [3, "large", 512],
    [4, "small", 128],
    [62, "small", 0x7c0],
    [169, "large", 0x5500],
    [2 ** 26 - 1, "large", 2 ** 25 * 256],
    [2 ** 26 - 2, "small", (2 ** 25 - 1) * 64],
    [2 ** 32 - 1, "large", 2 ** 31 * 256],
  ]
  for (const [vnode, cls, offset] of places) {
    t.is(classOf(vnode), cls)
    t.is(recordOffset(vnode), offset)
    t.is(vnodeAt(cls, offset), vnode)
  }
})

test("vnode record: a new one has its class's magic and nothing else that was not given", (t) => {
  const record = newVnodeRecord("large", { type: 2, owner: 4_000_000_000 })
  t.like(record, { type: 2, owner: 4_000_000_000, magic: 0xad87_65fe, uniquifier: 0, linkCount: 0 })
  t.is(newVnodeRecord("small", {}).magic, 0xda8c_041f)
})
