import { copyFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { type Disk, DiskError } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { AfsError, FormatError } from "../../../common/error.ts"
import { dataInode, type SpecialType, specialInode } from "../../../common/partition/inode-number.ts"
import type { InodeStore } from "../../../common/partition/inode-store.ts"
import { createPartition, headerPath, openPartition, type Partition } from "../../../common/partition/partition.ts"
import type { VnodeRecord } from "../../../common/vnode/vnode-record.ts"
import { openVolume, requireHeader, type Volume } from "../../../common/volume/volume.ts"
import { newVolumeHeader, volumeHeaderLayout } from "../../../common/volume/volume-header.ts"
import { volumeInfoLayout } from "../../../common/volume/volume-info.ts"
import { cutDisk } from "../../support/cut-disk.ts"
import { cleanFixtures, fixtureManifest, unpackFixture } from "../../support/fixture.ts"
import { makeSampleVolume, sampleId } from "../../support/sample-volume.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

interface Sample {
  readonly partition: Partition
  readonly store: InodeStore
  special(type: SpecialType): string
}

function sample(t: ExecutionContext): Sample {
  const path = join(temporaryDirectory(t), "vicepa")
  createPartition(path, { development: process.geteuid?.() !== 0 })
  const partition = openPartition(path)
  const store = makeSampleVolume(partition, { files: { a: "first", b: "second" } })
  return { partition, store, special: (type) => store.path(specialInode(sampleId, type)) }
}

/** Puts bytes into a file that is there. */
function patch(path: string, offset: number, bytes: Uint8Array): void {
  using file = nodeDisk.open(path, "write")
  file.write(bytes, offset)
}

function recordOf(volume: Volume, vnode: number): VnodeRecord {
  const record = volume.record(vnode)
  if (record === undefined) throw new Error(`no vnode ${vnode}`)
  return record
}

for (const fixture of cleanFixtures) {
  test(`volume: ${fixture}: every volume of OpenAFS's opens, and every record leads to its data`, (t) => {
    const path = join(temporaryDirectory(t), "vicepa")
    unpackFixture(fixture, path)
    const partition = openPartition(path)
    for (const { id, name, vnodes } of fixtureManifest(fixture).volumes) {
      using volume = openVolume(partition, id, "read")
      t.deepEqual([volume.id, volume.info.name], [id, name])
      const found = [...volume.large.records(), ...volume.small.records()].map(({ vnode, record }) => {
        using file = volume.openData(vnode, record)
        return [vnode, record.uniquifier, file?.stat().size]
      })
      const wanted = vnodes.map(({ vnode, unique, length }) => [vnode, unique, length])
      const order = (a: unknown[], b: unknown[]): number => Number(a[0]) - Number(b[0])
      t.deepEqual(found.sort(order), wanted.sort(order))
    }
  })
}

test("volume: one that is not there is told with the file that was looked for", (t) => {
  const { partition } = sample(t)
  const error = t.throws(() => openVolume(partition, 5, "read"), { instanceOf: AfsError })
  t.is(error.code, "VNOVOL")
  t.deepEqual(error.subject, { volume: 5, partition: "/vicepa", path: join(partition.path, "V0000000005.vol") })
  t.throws(() => requireHeader(partition, 5), { instanceOf: AfsError })
})

const specialTypes = ["volumeInfo", "smallIndex", "largeIndex", "linkTable"] as const

for (const type of specialTypes) {
  test(`volume: a missing ${type} needs a salvage, and the error says which file`, (t) => {
    const { partition, special } = sample(t)
    rmSync(special(type))
    const error = t.throws(() => openVolume(partition, sampleId, "read"), { instanceOf: AfsError })
    t.is(error.code, "VSALVAGE")
    t.deepEqual(error.subject, { volume: sampleId, partition: "/vicepa", path: special(type) })
  })

  test(`volume: a ${type} without its stamp, or cut off, is damage at a place in that file`, (t) => {
    const { partition, special } = sample(t)
    const path = special(type)
    const good = readFileSync(path)
    const broken: [string, () => void][] = [
      ["magic", () => patch(path, 0, Uint8Array.of(1, 2, 3))],
      ["version", () => patch(path, 4, Uint8Array.of(7))],
      ["short", () => truncateSync(path, 5)],
      ["empty", () => truncateSync(path, 0)],
    ]
    for (const [what, damage] of broken) {
      damage()
      const error = t.throws(() => openVolume(partition, sampleId, "read"), { instanceOf: FormatError }, what)
      t.is(error.path, path)
      t.is(error.offset, 0)
      writeFileSync(path, good)
    }
    openVolume(partition, sampleId, "write").close()
  })
}

test("volume: a VolumeInfo of another volume is damage at its id", (t) => {
  const { partition, special } = sample(t)
  patch(special("volumeInfo"), 8, Uint8Array.of(99))
  t.throws(() => openVolume(partition, sampleId, "read"), {
    instanceOf: FormatError,
    message: `VolumeInfo in ${special("volumeInfo")} offset 8: found volume id 536871011, wanted 536870918`,
  })
})

test("volume: a header that leads to other files than the volume's own is refused before they are opened", (t) => {
  const { partition } = sample(t)
  const header = { ...newVolumeHeader(sampleId, sampleId), smallLow: dataInode(2, 2, 0).low }
  writeFileSync(headerPath(partition, sampleId), volumeHeaderLayout.encode(header))
  const disk = cutDisk()
  const error = t.throws(() => openVolume({ ...partition, disk }, sampleId, "write"), { instanceOf: FormatError })
  t.is(error.offset, 20)
})

// Too many open files once had every volume that was opened at that moment sent to the salvager.
test("volume: what this process is short of is no reason to salvage, and no descriptor is left open", (t) => {
  const { partition, special } = sample(t)
  for (const code of ["EMFILE", "ENFILE", "EACCES", "ENOMEM"]) {
    const opened: string[] = []
    const disk: Disk = {
      ...nodeDisk,
      open(path, mode, permissions) {
        if (path === special("linkTable")) throw new DiskError("open", path, Object.assign(new Error(), { code }))
        const file = nodeDisk.open(path, mode, permissions)
        const close = file.close.bind(file)
        opened.push(path)
        file.close = () => {
          opened.splice(opened.indexOf(path), opened.includes(path) ? 1 : 0)
          close()
        }
        file[Symbol.dispose] = () => file.close()
        return file
      },
    }
    const error = t.throws(() => openVolume({ ...partition, disk }, sampleId, "read"), { instanceOf: AfsError })
    t.is(error.code, "VIO")
    t.regex(error.message, new RegExp(code))
    t.deepEqual(opened, [])
  }
})

test("volume: opening to read changes nothing on the disk", (t) => {
  const { partition } = sample(t)
  const disk = cutDisk()
  using volume = openVolume({ ...partition, disk }, sampleId, "read")
  t.is(volume.record(2)?.uniquifier, 2)
  t.is(disk.changes, 0)
  t.throws(() => volume.writeInfo(), { instanceOf: DiskError })
})

test("volume: writing VolumeInfo changes what was changed and no other byte", (t) => {
  const { partition, special } = sample(t)
  const path = special("volumeInfo")
  patch(path, 20, Buffer.from("stale")) // behind the name
  patch(path, 75, new Uint8Array(25).fill(0xa5))
  patch(path, 200, new Uint8Array(40).fill(0x5a))
  patch(path, 310, Buffer.from("an older message\0"))
  const before = new Uint8Array(readFileSync(path))
  {
    using volume = openVolume(partition, sampleId, "write")
    volume.info.inUse = 6
    volume.info.maxquota = -2
    volume.info.name = "v.new"
    volume.writeInfo()
  }
  const wanted = before.slice()
  wanted.set(Buffer.from("v.new\0"), 12)
  wanted[44] = 6
  wanted.set([0xfe, 0xff, 0xff, 0xff], 100)
  t.deepEqual(new Uint8Array(readFileSync(path)), wanted)
})

test("volume: VolumeInfo is always written whole, in one write at its beginning", (t) => {
  const { partition } = sample(t)
  const disk = cutDisk()
  using volume = openVolume({ ...partition, disk }, sampleId, "write")
  volume.writeInfo()
  t.deepEqual(disk.history, [`write at 0 (552 bytes) ${volume.store.path(specialInode(sampleId, "volumeInfo"))}`])
})

test("volume: a transaction keeps the VolumeInfo it was given, whatever becomes of the volume's", (t) => {
  const { partition, special } = sample(t)
  using volume = openVolume(partition, sampleId, "write")
  using transaction = volume.transaction()
  volume.info.uniquifier = 500
  volume.addInfo(transaction)
  volume.info.uniquifier = 600
  {
    using abandoned = volume.transaction()
    volume.addInfo(abandoned)
  }
  transaction.commit()
  t.is(volumeInfoLayout.read(readFileSync(special("volumeInfo"))).uniquifier, 500)
})

test("volume: data is opened only where the record's own file has just its length", (t) => {
  const { partition, store, special } = sample(t)
  using volume = openVolume(partition, sampleId, "read")
  const record = recordOf(volume, 2)
  t.is(Buffer.from(volume.readData(2, record)).toString(), "first")
  t.is(volume.openData(2, { ...record, inodeLow: 0, inodeHigh: 0 }), undefined)
  t.deepEqual(volume.readData(2, { ...record, inodeLow: 0, inodeHigh: 0 }), new Uint8Array(0))
  const path = store.path(dataInode(2, 2, 0))
  t.throws(() => volume.openData(2, { ...record, lengthLow: 6 }), {
    instanceOf: FormatError,
    message: `data file of vnode 2 in ${path}: found 5 bytes, wanted 6`,
  })
  t.throws(() => volume.openData(2, { ...record, lengthHigh: 1 }), { instanceOf: FormatError })
  const foreign = [
    [{ inodeLow: 4 }, "inode 8589934596"],
    [{ inodeHigh: 3 }, "inode 12884901890"],
    [{ inodeLow: 2 | (5 << 26) }, ""],
    [{ inodeLow: 0xe000_0002 }, ""],
    [{ inodeLow: 0x07ff_ffff, inodeHigh: sampleId }, ""],
  ] as const
  for (const [fields, text] of foreign) {
    const error = t.throws(() => volume.openData(2, { ...record, ...fields }), { instanceOf: FormatError })
    t.is(error.path, special("smallIndex"))
    t.is(error.offset, 64 + 16)
    t.true(error.message.includes(text) && error.message.endsWith("wanted one of vnode 2 uniquifier 2"), error.message)
  }
})

test("volume: a record whose data file is gone is an input error that names volume and vnode", (t) => {
  const { partition, store } = sample(t)
  rmSync(store.path(dataInode(4, 3, 0)))
  using volume = openVolume(partition, sampleId, "read")
  const error = t.throws(() => volume.openData(4, recordOf(volume, 4)), { instanceOf: AfsError })
  t.is(error.code, "VIO")
  t.deepEqual(error.subject, { volume: sampleId, partition: "/vicepa", vnode: 4 })
})

test("volume: a directory or link larger than any can be is not read into memory", (t) => {
  const { partition, store } = sample(t)
  const length = 1023 * 2048 + 1
  truncateSync(store.path(dataInode(2, 2, 0)), length)
  using volume = openVolume(partition, sampleId, "read")
  const record = { ...recordOf(volume, 2), lengthLow: length }
  t.throws(() => volume.readData(2, record), {
    instanceOf: FormatError,
    message: /found 2095105 bytes, wanted at most 2095104/,
  })
  using file = volume.openData(2, record)
  t.is(file?.stat().size, length)
})

test("volume: a vnode is looked for in the index of its class", (t) => {
  const { partition } = sample(t)
  using volume = openVolume(partition, sampleId, "read")
  t.is(volume.record(1)?.type, 2)
  t.is(volume.record(4)?.type, 1)
  for (const none of [3, 6, 999, 1000, 2 ** 32 - 1, 0]) t.is(volume.record(none), undefined, String(none))
  t.is(volume.index("large"), volume.large)
  t.is(volume.index("small"), volume.small)
})

test("volume: its files are in the order in which OpenAFS syncs them, and closed with it", (t) => {
  const { partition, special } = sample(t)
  const volume = openVolume(partition, sampleId, "read")
  const wanted = (["largeIndex", "smallIndex", "volumeInfo", "linkTable"] as const).map(special)
  t.deepEqual(
    volume.files().map(({ path }) => path),
    wanted,
  )
  volume.close()
  for (const file of volume.files()) t.throws(() => file.stat(), { instanceOf: DiskError })
})

test("volume: a clone opens with its group's link table", (t) => {
  const { partition, store, special } = sample(t)
  const clone = 0x2000_000b
  const path = (type: SpecialType): string => store.path(specialInode(clone, type))
  for (const type of ["volumeInfo", "smallIndex", "largeIndex"] as const) copyFileSync(special(type), path(type))
  patch(path("volumeInfo"), 8, Uint8Array.of(0x0b))
  const header = volumeHeaderLayout.encode(newVolumeHeader(clone, sampleId))
  writeFileSync(headerPath(partition, clone), header)
  using volume = openVolume(partition, clone, "read")
  t.is(volume.links.file.path, special("linkTable"))
  t.is(volume.store.group, sampleId)
})

test("volume: a record without its magic is damage at its place", (t) => {
  const { partition, special } = sample(t)
  patch(special("smallIndex"), 128 + 36, new Uint8Array(4))
  using volume = openVolume(partition, sampleId, "read")
  t.throws(() => volume.record(4), {
    instanceOf: FormatError,
    message: `vnode 4 record in ${special("smallIndex")} offset 128: found magic 0x0, wanted 0xda8c041f`,
  })
})
