import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { FormatError } from "../../../common/error.ts"
import { specialInode } from "../../../common/partition/inode-number.ts"
import { InodeStore } from "../../../common/partition/inode-store.ts"
import { openPartition } from "../../../common/partition/partition.ts"
import { volumeTypes } from "../../../common/protocol/codes.ts"
import {
  blocksOf,
  newVolumeInfo,
  parseVolumeInfo,
  readVolumeInfo,
  volumeInfoLayout,
} from "../../../common/volume/volume-info.ts"
import { cleanFixtures, fixtureManifest, unpackFixture } from "../../support/fixture.ts"
import { seededRandom } from "../../support/random.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"))

/** VolumeInfo of volume v.empty as OpenAFS wrote it: the parts that are not 0. */
function example(): Uint8Array {
  const bytes = new Uint8Array(552)
  const parts: [number, string][] = [
    [0x000, "c5b2 a178 0100 0000 0600 0020 762e 656d 7074 7900"],
    [0x02c, "00 01 01 00"],
    [0x030, "0200 0000 0000 0000 0600 0020 0000 0000"],
    [0x064, "8813 0000"],
    [0x098, "0000 0000 0200 0000"],
    [0x0a0, "0300 0000"],
    [0x0c0, "00df 006b 0000 0000"],
    [0x0f0, "d35d 016b e45d 016b d35d 016b 0000 0000"],
    [0x100, "0000 0000 d35d 016b 0100 0000"],
    [0x128, Buffer.from("File server was shut down\0").toString("hex")],
  ]
  for (const [offset, hex] of parts) bytes.set(bytesOf(hex), offset)
  return bytes
}

test("volume info: the worked example, field by field", (t) => {
  const info = parseVolumeInfo(example(), "zzzz5M++++0")
  t.like(info, {
    id: 536_870_918,
    name: "v.empty",
    inUse: 0,
    inService: 1,
    blessed: 1,
    needsSalvaged: 0,
    uniquifier: 2,
    type: volumeTypes.RW,
    parentId: 536_870_918,
    cloneId: 0,
    backupId: 0,
    restoredFromId: 0,
    maxquota: 5000,
    filecount: 0,
    diskused: 2,
    dayUse: 3,
    dayUseDate: 0x6b00_df00,
    volUpdateCounter: 0,
    creationDate: 0x6b01_5dd3,
    accessDate: 0x6b01_5de4,
    updateDate: 0x6b01_5dd3,
    expirationDate: 0,
    backupDate: 0,
    copyDate: 0x6b01_5dd3,
    statInitialized: 1,
    offlineMessage: "File server was shut down",
  })
  t.deepEqual(volumeInfoLayout.encode(info), example())
})

test("volume info: every field lies where the format says, with its sign", (t) => {
  const wanted: Record<string, number> = {
    magic: 0,
    version: 4,
    id: 8,
    name: 12,
    inUse: 44,
    inService: 45,
    blessed: 46,
    needsSalvaged: 47,
    uniquifier: 48,
    type: 52,
    parentId: 56,
    cloneId: 60,
    backupId: 64,
    restoredFromId: 68,
    needsCallback: 72,
    destroyMe: 73,
    dontSalvage: 74,
    reserved1: 75,
    maxquota: 100,
    minquota: 104,
    maxfiles: 108,
    accountNumber: 112,
    owner: 116,
    reserved2: 120,
    filecount: 152,
    diskused: 156,
    dayUse: 160,
    weekUse: 164,
    dayUseDate: 192,
    volUpdateCounter: 196,
    reserved3: 200,
    creationDate: 240,
    accessDate: 244,
    updateDate: 248,
    expirationDate: 252,
    backupDate: 256,
    copyDate: 260,
    statInitialized: 264,
    reserved4: 268,
    offlineMessage: 296,
    statReads: 424,
    statWrites: 440,
    statFileSameAuthor: 456,
    statFileDiffAuthor: 480,
    statDirSameAuthor: 504,
    statDirDiffAuthor: 528,
  }
  t.deepEqual({ ...volumeInfoLayout.offsets }, wanted)
  const ones = volumeInfoLayout.read(new Uint8Array(552).fill(0xff))
  const negative = Object.entries(ones).filter(([, value]) => value === -1)
  t.deepEqual(
    negative.map(([name]) => name),
    ["type", "maxquota", "minquota", "maxfiles", "filecount", "diskused", "dayUse"],
  )
  t.deepEqual(ones.weekUse, Array(7).fill(-1))
  t.deepEqual([ones.id, ones.uniquifier, ones.owner, ones.inUse], [0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 255])
  t.deepEqual([ones.statReads.length, ones.statWrites.length, ones.statDirDiffAuthor.length], [4, 4, 6])
})

test("volume info: every byte survives, reserved ones and what follows a NUL in name and message too", (t) => {
  const random = seededRandom(t)
  for (let round = 0; round < 2000; round++) {
    const bytes = random.bytes(552)
    bytes[12 + random.below(32)] = 0
    const before = bytes.slice()
    volumeInfoLayout.write(volumeInfoLayout.read(bytes), bytes)
    t.deepEqual(bytes, before)
  }
})

test("volume info: stamp and length are checked, unless any stamp will do", (t) => {
  const bytes = example()
  t.throws(() => parseVolumeInfo(bytes.subarray(0, 551), "/x"), {
    instanceOf: FormatError,
    message: "VolumeInfo in /x offset 0: found 551 bytes, wanted 552",
  })
  for (const [offset, found] of [
    [0, "magic 0x78a1b200 version 1"],
    [4, "magic 0x78a1b2c5 version 0"],
  ] as const) {
    const wrong = bytes.slice()
    wrong[offset] = 0
    t.throws(() => parseVolumeInfo(wrong, "/x"), {
      instanceOf: FormatError,
      message: `VolumeInfo in /x offset 0: found ${found}, wanted 0x78a1b2c5 version 1`,
    })
    t.is(parseVolumeInfo(wrong, "/x", { anyStamp: true }).name, "v.empty")
  }
})

test("volume info: read from a file, short or not", (t) => {
  const path = join(temporaryDirectory(t), "zzzz5M++++0")
  writeFileSync(path, example())
  using file = nodeDisk.open(path, "write")
  t.is(readVolumeInfo(file).name, "v.empty")
  file.truncate(100)
  t.throws(() => readVolumeInfo(file), { instanceOf: FormatError, message: /found 100 bytes, wanted 552/ })
})

test("volume info: a new one is all zeros but its stamp and what is given", (t) => {
  const bytes = volumeInfoLayout.encode(newVolumeInfo({ id: 5, destroyMe: 0xd3 }))
  const wanted = new Uint8Array(552)
  wanted.set(bytesOf("c5b2 a178 0100 0000 0500 0000"))
  wanted[73] = 0xd3
  t.deepEqual(bytes, wanted)
  const [one, other] = [newVolumeInfo({}), newVolumeInfo({})]
  one.weekUse[0] = 5
  one.reserved1[0] = 5
  t.is(other.weekUse[0], 0)
  t.is(other.reserved1[0], 0)
})

test("volume info: a length counts in whole KiB, an empty file as one", (t) => {
  t.deepEqual([0, 1, 1023, 1024, 1025, 2048, 2 ** 32 + 1].map(blocksOf), [1, 1, 1, 1, 2, 2, 2 ** 22 + 1])
})

for (const fixture of cleanFixtures) {
  test(`volume info: ${fixture}: those of OpenAFS say what its tools say, and are written as they were`, (t) => {
    const path = join(temporaryDirectory(t), "vicepa")
    unpackFixture(fixture, path)
    const partition = openPartition(path)
    for (const volume of fixtureManifest(fixture).volumes) {
      const inode = specialInode(volume.id, "volumeInfo")
      using file = new InodeStore(partition, volume.parentId).open(inode, "read")
      const info = readVolumeInfo(file)
      const told = [info.id, info.name, info.parentId, info.cloneId, info.backupId, info.maxquota, info.diskused]
      const { id, name, parentId, cloneId, backupId, maxQuota, diskUsed } = volume
      t.deepEqual(told, [id, name, parentId, cloneId, backupId, maxQuota, diskUsed])
      t.is(info.type, volumeTypes[volume.type])
      t.deepEqual([info.uniquifier, info.creationDate], [volume.uniquifier, volume.creationDate])
      const bytes = new Uint8Array(readFileSync(file.path))
      const copy = bytes.slice()
      volumeInfoLayout.write(info, copy)
      t.deepEqual(copy, bytes)
    }
  })
}
