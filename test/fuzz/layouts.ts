import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { DiskError } from "../../common/disk/disk.ts"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { AfsError, FormatError } from "../../common/error.ts"
import { type Inode, inodeParts, type SpecialType, specialInode } from "../../common/partition/inode-number.ts"
import { LinkTable } from "../../common/partition/link-table.ts"
import { countIn } from "../../common/partition/link-table-format.ts"
import { decodeInode, encodeInode, folderInGroup } from "../../common/partition/namei-path.ts"
import { createPartition, headerPath, type Partition } from "../../common/partition/partition.ts"
import { VnodeIndex } from "../../common/vnode/vnode-index.ts"
import { openVolume } from "../../common/volume/volume.ts"
import {
  newVolumeHeader,
  parseVolumeHeader,
  readVolumeHeader,
  requireOwnInodes,
  volumeHeaderLayout,
} from "../../common/volume/volume-header.ts"
import { newVolumeInfo, parseVolumeInfo, volumeInfoLayout } from "../../common/volume/volume-info.ts"
import { fuzz, type Random } from "../support/random.ts"
import { makeSampleVolume, sampleId } from "../support/sample-volume.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

/** Some bytes changed, the file cut off or made longer; now and then nothing at all. */
function damaged(random: Random, sample: Uint8Array): Uint8Array {
  const bytes = sample.slice()
  for (let flips = random.below(6); flips > 0 && bytes.length > 0; flips--) {
    const at = random.below(random.below(2) === 0 ? Math.min(80, bytes.length) : bytes.length)
    bytes[at] = random.below(2) === 0 ? random.below(256) : (bytes[at] ?? 0) ^ (1 << random.below(8))
  }
  const end = random.below(8)
  if (end === 0) return bytes.subarray(0, random.below(bytes.length + 1))
  return end === 1 ? Uint8Array.from([...bytes, ...random.bytes(random.below(400))]) : bytes
}

/** The result, or undefined where the work refused: only ever in words that say where. */
function orRefused<T>(t: ExecutionContext, work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    const isPlaced =
      (error instanceof FormatError && error.path !== undefined && /offset \d|data file of/.test(error.message)) ||
      (error instanceof AfsError && (error.subject.path ?? error.subject.volume) !== undefined) ||
      (error instanceof DiskError && error.path !== "")
    if (!isPlaced) t.fail(error instanceof Error ? (error.stack ?? error.message) : String(error))
    return undefined
  }
}

test("fuzz: any volume header is read whole, or refused with file and offset", (t) => {
  const sample = volumeHeaderLayout.encode(newVolumeHeader(0xf000_0003, 0xf000_0001))
  let sound = 0
  fuzz(t, (random) => {
    const bytes = damaged(random, sample)
    const header = orRefused(t, () => parseVolumeHeader(bytes, "V4026531843.vol"))
    if (header === undefined) return
    if (Buffer.compare(volumeHeaderLayout.encode(header), bytes.subarray(0, 76)) !== 0) t.fail("changed by writing")
    orRefused(t, () => {
      requireOwnInodes(header, "V4026531843.vol")
      sound++
    })
  })
  t.true(sound > 0)
})

test("fuzz: any VolumeInfo is read and written back as it was, or refused with file and offset", (t) => {
  const sample = volumeInfoLayout.encode(newVolumeInfo({ id: sampleId, name: "v.name", offlineMessage: "gone" }))
  let read = 0
  fuzz(t, (random) => {
    const bytes = damaged(random, sample)
    const info = orRefused(t, () => parseVolumeInfo(bytes, "zzzz5M++++0", { anyStamp: random.below(2) === 0 }))
    if (info === undefined) return
    read++
    const copy = bytes.slice()
    volumeInfoLayout.write(info, copy)
    if (Buffer.compare(copy, bytes) !== 0) t.fail("changed by writing")
  })
  t.true(read > 0)
})

interface Sample {
  readonly partition: Partition
  /** Path and sound bytes of the volume's special files and its header. */
  readonly parts: readonly { readonly path: string; readonly bytes: Uint8Array }[]
}

function sampleOf(t: ExecutionContext): Sample {
  const path = join(temporaryDirectory(t), "vicepa")
  const partition = createPartition(path, { development: process.geteuid?.() !== 0 })
  const store = makeSampleVolume(partition, { files: { a: "first", b: "second", c: "third" } })
  const types: SpecialType[] = ["volumeInfo", "smallIndex", "largeIndex", "linkTable"]
  const paths = [headerPath(partition, sampleId), ...types.map((type) => store.path(specialInode(sampleId, type)))]
  return { partition, parts: paths.map((part) => ({ path: part, bytes: new Uint8Array(readFileSync(part)) })) }
}

test("fuzz: any vnode index is walked and read in, or refused with file and offset", (t) => {
  const { parts } = sampleOf(t)
  const indexes = parts.slice(2, 4)
  fuzz(t, (random) => {
    const which = random.below(2)
    const sample = indexes[which]
    if (sample === undefined) throw new Error("there are two indexes")
    writeFileSync(sample.path, damaged(random, sample.bytes))
    using file = nodeDisk.open(sample.path, "read")
    const index = new VnodeIndex(file, which === 0 ? "small" : "large")
    orRefused(t, () => index.checkStamp())
    const slots = orRefused(t, () => [...index.slots()].length)
    if (slots !== orRefused(t, () => index.slotCount())) t.fail(`${slots} slots met`)
    const used = orRefused(t, () => [...index.records()].length)
    if (used !== undefined && used > (slots ?? 0)) t.fail(`${used} of ${slots} slots used`)
    const vnode = 2 * random.below(random.below(2) === 0 ? 8 : 2 ** 31) + (which === 0 ? 2 : 1)
    orRefused(t, () => index.read(vnode))
    orRefused(t, () => index.readAccessList(vnode))
  })
  t.pass()
})

test("fuzz: any link table is counted in and changed, and no other count changes with it", (t) => {
  const { parts } = sampleOf(t)
  const sample = parts[4]
  if (sample === undefined) throw new Error("there is a link table")
  fuzz(t, (random) => {
    const bytes = damaged(random, sample.bytes)
    writeFileSync(sample.path, bytes.subarray(0, bytes.length & ~1)) // half a row becomes a whole one when it is written
    using file = nodeDisk.open(sample.path, "write")
    const table = new LinkTable(file)
    orRefused(t, () => table.checkStamp())
    const before = orRefused(t, () => table.rows())
    const vnode = random.below(8) === 0 ? random.below(2 ** 27) : random.below(12)
    const change = { vnode, tag: random.below(6), delta: random.below(17) - 8 }
    const [result] = orRefused(t, () => table.change([change])) ?? []
    const tag = orRefused(t, () => table.allocate([4]))?.[0]
    if (vnode > 5000) return // its row lies behind a hole that takes long to read
    const after = orRefused(t, () => table.rows())
    if (before === undefined || after === undefined) return
    for (let row = 0; row < Math.max(before.length, after.length, 6); row++) {
      for (let column = 0; column < 5; column++) {
        const [was, is] = [countIn(before[row] ?? 0, column), countIn(after[row] ?? 0, column)]
        const isChanged = result !== undefined && row === vnode && column === change.tag
        const isTaken = row === 4 && column === tag
        if (!isChanged && !isTaken && is !== was) t.fail(`row ${row} tag ${column}: ${was} became ${is}`)
        if (isTaken && is !== 1) t.fail(`row 4 tag ${column} taken and ${is}`)
      }
    }
  })
  t.pass()
})

const digits = "+=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/** The rule as it is written down, on big integers. */
function spelled(number: bigint): string {
  let [rest, name] = [number, ""]
  do {
    name += digits[Number(rest & 63n)]
    rest >>= 6n
  } while (rest !== 0n)
  return name
}

const numberOf = (inode: Inode): bigint => (BigInt(inode.high) << 32n) | BigInt(inode.low)

test("fuzz: of any names just the true spellings of 64-bit numbers are inodes", (t) => {
  fuzz(t, (random) => {
    const strange = random.below(3) === 0 ? [".", "/", "\0", "ÿ", "Ā", "\u{1f4be}"] : []
    const name = Array.from({ length: random.below(14) }, () => random.pick([...digits, ...strange])).join("")
    const inode = decodeInode(name)
    const isSpelling = name !== "" && [...name].every((digit) => digits.includes(digit))
    const number = [...name].reduceRight((sum, digit) => sum * 64n + BigInt(digits.indexOf(digit)), 0n)
    const isTrue = isSpelling && number < 1n << 64n && spelled(number) === name
    if ((inode !== undefined) !== isTrue) t.fail(`${JSON.stringify(name)}: ${JSON.stringify(inode)}`)
    if (inode === undefined) return
    if (numberOf(inode) !== number || encodeInode(inode) !== name) t.fail(`${name}: ${numberOf(inode)}`)
    const isSpecial = folderInGroup(inode) === "special"
    if (isSpecial !== inodeParts(inode).special) t.fail(`${name} in ${folderInGroup(inode)}`)
  })
  t.pass()
})

test("fuzz: a volume with damaged files is opened and read, or refused in words that name the file", (t) => {
  const { partition, parts } = sampleOf(t)
  const ends = { read: 0, refused: 0 }
  fuzz(t, (random) => {
    const part = random.pick(parts)
    writeFileSync(part.path, damaged(random, part.bytes))
    const files = orRefused(t, () => {
      readVolumeHeader(partition, sampleId)
      using volume = openVolume(partition, sampleId, "read")
      let count = 0
      for (const index of [volume.large, volume.small]) {
        for (const { vnode, record } of index.records()) {
          if (orRefused(t, () => volume.readData(vnode, record)) !== undefined) count++
        }
      }
      return count
    })
    ends[files === undefined ? "refused" : "read"]++
    writeFileSync(part.path, part.bytes)
  })
  t.true(ends.read > 0 && ends.refused > 0, JSON.stringify(ends))
})
