import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { FormatError } from "../../../common/error.ts"
import {
  createPartition,
  headerPath,
  listHeaderNames,
  openPartition,
  type Partition,
} from "../../../common/partition/partition.ts"
import {
  infoInode,
  largeIndexInode,
  linkTableInode,
  newVolumeHeader,
  parseVolumeHeader,
  readVolumeHeader,
  requireOwnInodes,
  smallIndexInode,
  volumeHeaderLayout,
} from "../../../common/volume/volume-header.ts"
import { cleanFixtures, fixtureManifest, unpackFixture } from "../../support/fixture.ts"
import { seededRandom } from "../../support/random.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"))

/** V0536870918.vol as OpenAFS wrote it. */
const example = bytesOf(`
  3cbb a188 0100 0000 0600 0020 0600 0020
  ffff ff07 ffff ff0b ffff ff0f 0000 0000
  0000 0000 0600 0020 0600 0020 0600 0020
  0000 0000 0000 0000 ffff ff1b 0600 0020
  0000 0000 0000 0000 0000 0000`)

function partitionIn(t: ExecutionContext): Partition {
  return createPartition(join(temporaryDirectory(t), "vicepa"), { development: true })
}

test("volume header: a new one is byte for byte what OpenAFS writes", (t) => {
  t.deepEqual(volumeHeaderLayout.encode(newVolumeHeader(536_870_918, 536_870_918)), example)
})

test("volume header: a clone's names its own files and its group's link table; ids above 2^31 are whole", (t) => {
  const header = newVolumeHeader(0xf000_0003, 0xf000_0001)
  const read = parseVolumeHeader(volumeHeaderLayout.encode(header), "V")
  t.deepEqual(read, header)
  t.deepEqual(infoInode(read), { high: 0xf000_0003, low: 0x07ff_ffff })
  t.deepEqual(smallIndexInode(read), { high: 0xf000_0003, low: 0x0bff_ffff })
  t.deepEqual(largeIndexInode(read), { high: 0xf000_0003, low: 0x0fff_ffff })
  t.deepEqual(linkTableInode(read), { high: 0xf000_0001, low: 0x1bff_ffff })
})

test("volume header: every byte survives reading and writing, the reserved and obsolete ones too", (t) => {
  const random = seededRandom(t)
  for (let round = 0; round < 2000; round++) {
    const bytes = random.bytes(volumeHeaderLayout.size)
    t.deepEqual(volumeHeaderLayout.encode(volumeHeaderLayout.read(bytes)), bytes)
  }
})

test("volume header: any version is read, as OpenAFS lists any; a wrong magic or a short file is damage", (t) => {
  const bytes = example.slice()
  bytes[4] = 9
  t.is(parseVolumeHeader(bytes, "V").version, 9)
  bytes[0] = 0
  t.throws(() => parseVolumeHeader(bytes, "/vicepa/V1.vol"), {
    instanceOf: FormatError,
    message: "volume header in /vicepa/V1.vol offset 0: found magic 0x88a1bb00, wanted 0x88a1bb3c",
  })
  t.throws(() => parseVolumeHeader(example.subarray(0, 75), "/vicepa/V1.vol"), {
    instanceOf: FormatError,
    message: "VolumeHeader in /vicepa/V1.vol offset 0: found 75 bytes, wanted 76",
  })
})

test("volume header: found by volume id; absent is undefined; longer files are read as far as a header goes", (t) => {
  const partition = partitionIn(t)
  t.is(readVolumeHeader(partition, 536_870_918), undefined)
  const path = headerPath(partition, 536_870_918)
  writeFileSync(path, example)
  truncateSync(path, 2 ** 40)
  t.is(readVolumeHeader(partition, 536_870_918)?.parent, 536_870_918)
})

test("volume header: a file that names another volume than its name says is damage at the id", (t) => {
  const partition = partitionIn(t)
  const path = headerPath(partition, 5)
  writeFileSync(path, example)
  t.throws(() => readVolumeHeader(partition, 5), {
    instanceOf: FormatError,
    message: `volume header in ${path} offset 8: found volume id 536870918, wanted 5 (V0000000005.vol)`,
  })
})

test("volume header: a folder in the place of the file is an error, not an absent volume", (t) => {
  const partition = partitionIn(t)
  mkdirSync(headerPath(partition, 5))
  t.throws(() => readVolumeHeader(partition, 5), { message: /V0000000005\.vol.*EISDIR/ })
})

// A header that leads to a clone's index would have the volume's removal zero the clone's records.
test("volume header: one that names files that are not its own is damage, field by field", (t) => {
  const header = newVolumeHeader(7, 5)
  requireOwnInodes(header, "V")
  const wrong = [
    [{ infoLow: 0x0bff_ffff }, "offset 16: found infoLow 0xbffffff, wanted 0x7ffffff"],
    [{ infoHigh: 5 }, "offset 36: found infoHigh 0x5, wanted 0x7"],
    [{ smallLow: 2 }, "offset 20: found smallLow 0x2, wanted 0xbffffff"],
    [{ smallHigh: 5 }, "offset 40: found smallHigh 0x5, wanted 0x7"],
    [{ largeLow: 0x0bff_ffff }, "offset 24: found largeLow 0xbffffff, wanted 0xfffffff"],
    [{ largeHigh: 0 }, "offset 44: found largeHigh 0x0, wanted 0x7"],
    [{ linkTableLow: 0 }, "offset 56: found linkTableLow 0x0, wanted 0x1bffffff"],
    [{ linkTableHigh: 7 }, "offset 60: found linkTableHigh 0x7, wanted 0x5"],
  ] as const
  for (const [fields, message] of wrong) {
    t.throws(() => requireOwnInodes({ ...header, ...fields }, "V"), {
      instanceOf: FormatError,
      message: `volume header in V ${message}`,
    })
  }
})

for (const name of cleanFixtures) {
  test(`volume header: ${name}: those of OpenAFS are read, sound, and written as they were`, (t) => {
    const path = join(temporaryDirectory(t), "vicepa")
    unpackFixture(name, path)
    const partition = openPartition(path)
    const wanted = fixtureManifest(name).volumes.map(({ id, parentId }) => [id, parentId])
    const found = listHeaderNames(partition).map(({ volume }) => {
      const header = readVolumeHeader(partition, volume)
      if (header === undefined) return [volume]
      requireOwnInodes(header, headerPath(partition, volume))
      t.deepEqual(volumeHeaderLayout.encode(header), new Uint8Array(readFileSync(headerPath(partition, volume))))
      return [header.id, header.parent]
    })
    t.deepEqual(
      found,
      wanted.toSorted((a, b) => (a[0] ?? 0) - (b[0] ?? 0)),
    )
  })
}
