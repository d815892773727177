import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { type Disk, DiskError, type DiskFile } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { AfsError } from "../../../common/error.ts"
import { dataInode, inodeText, noInode, specialInode } from "../../../common/partition/inode-number.ts"
import { InodeStore } from "../../../common/partition/inode-store.ts"
import { newLinkTable } from "../../../common/partition/link-table-format.ts"
import { createPartition, headerPath, openPartition, type Partition } from "../../../common/partition/partition.ts"
import { recordInode, recordLength } from "../../../common/vnode/vnode-record.ts"
import type { MetadataWrite } from "../../../common/volume/metadata-write.ts"
import { openVolume } from "../../../common/volume/volume.ts"
import { newVolumeHeader, volumeHeaderLayout } from "../../../common/volume/volume-header.ts"
import { VolumeTransaction } from "../../../common/volume/volume-transaction.ts"
import { atEveryCut, type Cut, cutDisk } from "../../support/cut-disk.ts"
import { partitionProblems } from "../../support/partition-state.ts"
import { addSampleVolume, makeSampleVolume, type SampleFiles, sampleId } from "../../support/sample-volume.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"
import { unorderedWrites } from "../../support/unordered-writes.ts"

const files: SampleFiles = { a: "first", b: "second", c: "third" }

/** A partition of the kind that this user can have. */
function partitionIn(t: ExecutionContext, disk: Disk = nodeDisk): Partition {
  const path = join(temporaryDirectory(t), "vicepa")
  createPartition(path, { development: process.geteuid?.() !== 0 })
  return openPartition(path, disk)
}

const over = (partition: Partition, disk: Disk): Partition => ({ ...partition, disk })
const storeOf = (partition: Partition): InodeStore => new InodeStore(partition, sampleId)

/** Every file and folder of a partition with mode, owner and bytes; not what outlives every transaction anyway. */
function snapshot(path: string): Record<string, string> {
  const lasting = /^(\.volheaders\.lock|\.dafs|AFSIDat\/[^/]+)$/
  const entries = readdirSync(path, { recursive: true, withFileTypes: true }).map((entry) => {
    const whole = join(entry.parentPath, entry.name)
    const { mode, uid, gid } = statSync(whole)
    const content = entry.isDirectory() ? "folder" : readFileSync(whole).toString("hex")
    return [whole.slice(path.length + 1), `${mode.toString(8)} ${uid}:${gid} ${content}`] as const
  })
  return Object.fromEntries(entries.filter(([name]) => !lasting.test(name)).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** What a salvage cannot make good: a record whose file is missing, too short, or counted for nobody. */
function lostFiles(partition: Partition): string[] {
  if (nodeDisk.stat(headerPath(partition, sampleId)) === undefined) return []
  using volume = openVolume(partition, sampleId, "read")
  const lost: string[] = []
  for (const cls of ["large", "small"] as const) {
    for (const { vnode, record } of volume.index(cls).slots()) {
      if (record.type === 0) continue
      const inode = recordInode(record)
      const size = volume.store.stat(inode)?.size ?? -1
      if (size < recordLength(record)) lost.push(`vnode ${vnode}: ${size} bytes of ${recordLength(record)}`)
      const count = volume.links.count(vnode, (inode.low >>> 26) & 7)
      if (count === 0) lost.push(`vnode ${vnode}: count 0`)
    }
  }
  return lost
}

test("transaction: a volume made by one is sound, and a plain list says how", (t) => {
  const partition = partitionIn(t)
  using transaction = new VolumeTransaction(storeOf(partition))
  addSampleVolume(transaction, { files })
  t.deepEqual(structuredClone(transaction.writes), [...transaction.writes])
  t.deepEqual(transaction.commit(), { unlinked: 0, lost: [] })
  t.deepEqual(partitionProblems(partition.path), [])
  using volume = openVolume(partition, sampleId, "read")
  t.is(Buffer.from(volume.readData(2, volume.record(2) ?? t.fail() ?? neverRecord())).toString(), "first")
})

function neverRecord(): never {
  throw new Error("no record")
}

test("transaction: the disk sees the stages in that order, whatever the order in which they were given", (t) => {
  const plain = partitionIn(t)
  makeSampleVolume(plain, { files })
  const disk = cutDisk()
  using transaction = new VolumeTransaction(storeOf(over(plain, disk)))
  const [tag = -1] = transaction.allocate([2])
  transaction.create(dataInode(2, 2, tag), 1).write(Buffer.from("new"), 0)
  const small = specialInode(sampleId, "smallIndex")
  const header = volumeHeaderLayout.encode(newVolumeHeader(sampleId + 1, sampleId))
  transaction.add({ kind: "removeHeader", volume: sampleId })
  transaction.add({ kind: "unlink", inode: specialInode(sampleId, "largeIndex") })
  transaction.add({ kind: "release", inode: dataInode(4, 3, 0) })
  transaction.add({ kind: "count", vnode: 6, tag: 0, count: 2 })
  transaction.add({ kind: "header", volume: sampleId + 1, bytes: header, replace: false })
  transaction.add({ kind: "truncate", inode: small, size: 64 * 3 })
  transaction.write(small, 64, new Uint8Array(64))
  transaction.add({ kind: "link", from: small, to: specialInode(sampleId + 1, "smallIndex") })
  transaction.add({ kind: "claim", vnode: 0, tag: 0, delta: 1 })
  const before = disk.changes
  t.deepEqual(transaction.commit(), { unlinked: 1, lost: [] })
  const { store } = transaction
  const links = store.path(specialInode(sampleId, "linkTable"))
  const target = headerPath(plain, sampleId + 1)
  const draft = `${plain.path}/.dafs/V0536870919.vol.${process.pid}`
  const seen = disk.history.slice(before).filter((line) => !/^(mkdir|chown|chmod|create .*\.volheaders)/.test(line))
  t.deepEqual(seen, [
    `write at 8 (2 bytes) ${links}`,
    `link to ${store.path(small)} at ${store.path(specialInode(sampleId + 1, "smallIndex"))}`,
    `write at 64 (64 bytes) ${store.path(small)}`,
    `truncate to 192 ${store.path(small)}`,
    ...seen.filter((line) => line === `unlink ${draft}`).slice(0, 1),
    `create ${draft}`,
    `write at 0 (76 bytes) ${draft}`,
    `link to ${draft} at ${target}`,
    `unlink ${draft}`,
    `write at 20 (2 bytes) ${links}`,
    `unlink ${store.path(dataInode(4, 3, 0))}`,
    `write at 16 (2 bytes) ${links}`,
    `unlink ${store.path(specialInode(sampleId, "largeIndex"))}`,
    `unlink ${headerPath(plain, sampleId)}`,
  ])
})

test("transaction: nothing but new files is on the disk before the commit", (t) => {
  const partition = partitionIn(t)
  const store = makeSampleVolume(partition, { files })
  const before = snapshot(partition.path)
  using transaction = new VolumeTransaction(store)
  for (const write of unorderedWrites) if (write.kind !== "create" && write.kind !== "release") transaction.add(write)
  transaction.add({ kind: "release", inode: dataInode(2, 2, 0) })
  t.deepEqual(snapshot(partition.path), before)
})

test("transaction: abandoned it leaves nothing: no file, no count, no folder of a new group", (t) => {
  const partition = partitionIn(t)
  const empty = snapshot(partition.path)
  {
    using transaction = new VolumeTransaction(storeOf(partition))
    addSampleVolume(transaction, { files })
    t.notDeepEqual(snapshot(partition.path), empty)
  }
  t.deepEqual(snapshot(partition.path), empty)
  const store = makeSampleVolume(partition, { files })
  const before = snapshot(partition.path)
  {
    using transaction = new VolumeTransaction(store)
    const vnodes = [2, 2, 4, 8]
    const tags = transaction.allocate(vnodes)
    for (const [index, vnode] of vnodes.entries()) transaction.create(dataInode(vnode, vnode, tags[index] ?? 0), 1)
    transaction.add({ kind: "claim", vnode: 6, tag: 0, delta: 1 })
    transaction.write(specialInode(sampleId, "smallIndex"), 64, new Uint8Array(64))
    t.notDeepEqual(snapshot(partition.path), before)
  }
  const links = store.path(specialInode(sampleId, "linkTable")).slice(partition.path.length + 1)
  const after = snapshot(partition.path)
  t.true(after[links]?.startsWith(before[links] ?? "none"), "the table may have grown by rows of 0")
  t.deepEqual({ ...after, [links]: "" }, { ...before, [links]: "" })
})

/** Every errno that a full or broken disk gives, once or from then on. */
const failures: readonly Omit<Extract<Cut, { lasting?: boolean }>, "at">[] = [
  { how: "ENOSPC" },
  { how: "ENOSPC", lasting: true },
  { how: "EIO" },
]

for (const failure of failures) {
  const what = `${failure.how}${failure.lasting === true ? " from then on" : ""}`
  test(`transaction: a volume's creation that fails with ${what}, at any change, leaves nothing or all of it`, (t) => {
    const plain = partitionIn(t)
    const empty = snapshot(plain.path)
    let failed = 0
    for (let at = 1; ; at++) {
      const disk = cutDisk({ at, ...failure })
      const transaction = new VolumeTransaction(storeOf(over(plain, disk)))
      try {
        using scope = transaction
        addSampleVolume(scope, { files })
        scope.commit()
      } catch (error) {
        failed++
        t.true(error instanceof DiskError, String(error))
      }
      if (!disk.isCut) break
      const isMade = nodeDisk.stat(headerPath(plain, sampleId)) !== undefined
      if (isMade) t.deepEqual(partitionProblems(plain.path), [], disk.history.at(-1))
      else t.deepEqual(snapshot(plain.path), empty, `${at}: ${disk.history.at(-1)}`)
      t.is(transaction.begun, isMade)
      if (isMade) removeSample(plain)
    }
    t.true(failed > 30, `${failed} failures`)
    t.deepEqual(partitionProblems(plain.path), [])
  })
}

function removeSample(partition: Partition): void {
  execFileSync("sh", ["-c", `rm -rf "$1"/AFSIDat/4 "$1"/V*.vol`, "sh", partition.path])
}

/** A change like those of a fileserver: copy on write of a file, a new file, the last use of another gone. */
function addChange(transaction: VolumeTransaction): void {
  const small = specialInode(sampleId, "smallIndex")
  using volume = openVolume(openPartition(transaction.store.partition.path), sampleId, "read")
  const [copy, made] = transaction.allocate([2, 8])
  transaction.create(dataInode(2, 2, copy ?? 0), 1).write(Buffer.from("changed first"), 0)
  transaction.create(dataInode(8, 9, made ?? 0), 1).write(Buffer.from("made"), 0)
  const [first, fourth, second] = [volume.small.readBytes(2), volume.small.readBytes(6), volume.small.readBytes(4)]
  if (first === undefined || second === undefined || fourth === undefined) throw new Error("the sample has three files")
  const view = new DataView(first.buffer)
  view.setUint32(4, 13, true)
  view.setUint32(16, dataInode(2, 2, copy ?? 0).low, true)
  const another = new DataView(fourth.buffer)
  another.setUint32(4, 4, true)
  another.setUint32(8, 9, true)
  another.setUint32(16, dataInode(8, 9, made ?? 0).low, true)
  another.setUint32(56, 9, true)
  transaction.write(small, 64, first)
  transaction.write(small, 64 * 4, fourth)
  transaction.write(small, 64 * 2, new Uint8Array(64))
  transaction.add({ kind: "release", inode: dataInode(2, 2, 0) })
  transaction.add({ kind: "release", inode: dataInode(4, 3, 0) })
}

for (const failure of failures) {
  const what = `${failure.how}${failure.lasting === true ? " from then on" : ""}`
  test(`transaction: a change that fails with ${what}, at any call, is undone or known to be begun, and loses no file`, (t) => {
    const states = { undone: 0, begun: 0 }
    for (let at = 1; ; at++) {
      const plain = partitionIn(t)
      makeSampleVolume(plain, { files })
      const before = snapshot(plain.path)
      const disk = cutDisk({ at, ...failure })
      const transaction = new VolumeTransaction(storeOf(over(plain, disk)))
      try {
        using scope = transaction
        addChange(scope)
        scope.commit()
      } catch (error) {
        t.true(error instanceof DiskError, String(error))
      }
      if (!disk.isCut) break
      t.deepEqual(lostFiles(plain), [], `${at}: ${disk.history.at(-1)}`)
      if (transaction.begun) states.begun++
      else {
        states.undone++
        const links = "AFSIDat/4/4+++U/special/zzzzPM++++0"
        const after = snapshot(plain.path)
        t.true(after[links]?.startsWith(before[links] ?? "none"))
        t.deepEqual({ ...after, [links]: "" }, { ...before, [links]: "" }, `${at}: ${disk.history.at(-1)}`)
      }
    }
    t.true(states.undone >= 1 && states.begun >= 4, JSON.stringify(states))
  })
}

test("transaction: a change cut off at any write, also in the middle of it, loses no file", async (t) => {
  let plain = partitionIn(t)
  const cuts = await atEveryCut(
    (disk) => {
      plain = partitionIn(t)
      makeSampleVolume(plain, { files })
      using transaction = new VolumeTransaction(storeOf(over(plain, disk)))
      addChange(transaction)
      transaction.commit()
    },
    (at, call) => void t.deepEqual(lostFiles(plain), [], `${at}: ${call}`),
    { torn: true },
  )
  t.true(cuts >= 10)
})

test("transaction: what is released by its last user goes, what others use stays, what nobody had is told", (t) => {
  const partition = partitionIn(t)
  const store = makeSampleVolume(partition, { files })
  {
    using sharing = new VolumeTransaction(store)
    sharing.add({ kind: "claim", vnode: 2, tag: 0, delta: 1 })
    sharing.commit()
  }
  using transaction = new VolumeTransaction(store)
  for (const inode of [dataInode(6, 4, 0), dataInode(2, 2, 0), dataInode(4, 77, 3), dataInode(4, 3, 0)]) {
    transaction.add({ kind: "release", inode })
  }
  t.deepEqual(transaction.commit(), { unlinked: 2, lost: [dataInode(4, 77, 3)] })
  t.deepEqual(
    [dataInode(2, 2, 0), dataInode(4, 3, 0), dataInode(6, 4, 0)].map((inode) => store.stat(inode) !== undefined),
    [true, false, false],
  )
  using table = store.linkTable("read").file
  t.is(readFileSync(table.path).toString("hex"), "1277879901000000010001000100000000000000" + "0000")
})

test("transaction: the release of what is no data file is refused when it is asked for", (t) => {
  const store = makeSampleVolume(partitionIn(t))
  using transaction = new VolumeTransaction(store)
  const wrong = [
    noInode,
    specialInode(sampleId, "volumeInfo"),
    { high: 5, low: 0 },
    { high: 2, low: 2 | (5 << 26) },
    { high: 2, low: 0x8000_0002 },
  ]
  for (const inode of wrong) {
    const error = t.throws(() => transaction.add({ kind: "release", inode }), { instanceOf: AfsError })
    t.is(error.code, "DAMAGED")
    t.regex(
      error.message,
      new RegExp(`volume 536870918 on /vicepa: inode ${inodeText(inode)} is not that of a data file`),
    )
  }
  t.deepEqual(transaction.writes, [])
})

test("transaction: the eighth volume that would share a file is refused, and its files are taken back", (t) => {
  const partition = partitionIn(t)
  const store = makeSampleVolume(partition, { files })
  {
    using sharing = new VolumeTransaction(store)
    sharing.add({ kind: "claim", vnode: 4, tag: 0, delta: 6 })
    sharing.commit()
  }
  const before = snapshot(partition.path)
  const transaction = new VolumeTransaction(store)
  transaction.create(specialInode(sampleId + 1, "volumeInfo"), sampleId + 1)
  for (const vnode of [0, 1, 2]) transaction.add({ kind: "claim", vnode, tag: 0, delta: 1 })
  transaction.add({ kind: "claimAll", lows: Uint32Array.of(4, 6) })
  t.is(t.throws(() => transaction.commit(), { instanceOf: AfsError }).code, "EMLINK")
  t.false(transaction.begun)
  t.deepEqual(snapshot(partition.path), before)
})

// A clone whose header could not be made once left every count of its volume one too high.
test("transaction: counts raised for many files at once are taken back with the rest", (t) => {
  const partition = partitionIn(t)
  const store = makeSampleVolume(partition, { files })
  const before = snapshot(partition.path)
  for (const also of [[], [{ kind: "claim", vnode: 0, tag: 0, delta: 1 }] as const]) {
    const transaction = new VolumeTransaction(store)
    for (const write of also) transaction.add(write)
    transaction.add({ kind: "claimAll", lows: Uint32Array.of(1, 2, 4, 6) })
    transaction.add({ kind: "header", volume: sampleId, bytes: new Uint8Array(76), replace: false })
    t.is(t.throws(() => transaction.commit(), { instanceOf: AfsError }).code, "VVOLEXISTS")
    t.deepEqual(snapshot(partition.path), before)
  }
})

test("transaction: many files released at once go or stay as one by one", (t) => {
  const store = makeSampleVolume(partitionIn(t), { files })
  using sharing = new VolumeTransaction(store)
  sharing.add({ kind: "claimAll", lows: Uint32Array.of(2) })
  sharing.commit()
  using transaction = new VolumeTransaction(store)
  const lows = Uint32Array.of(2, 4, 6, 8)
  transaction.add({ kind: "releaseAll", lows, highs: Uint32Array.of(2, 3, 4, 9) })
  t.deepEqual(transaction.commit(), { unlinked: 2, lost: [dataInode(8, 9, 0)] })
  const left = [dataInode(2, 2, 0), dataInode(4, 3, 0), dataInode(6, 4, 0)].map(
    (inode) => store.stat(inode) !== undefined,
  )
  t.deepEqual(left, [true, false, false])
  const wrong = {
    kind: "releaseAll",
    lows: Uint32Array.of(2, 0x07ff_ffff),
    highs: Uint32Array.of(2, sampleId),
  } as const
  t.is(t.throws(() => transaction.add(wrong), { instanceOf: AfsError }).code, "DAMAGED")
})

test("transaction: a header file that exists is not replaced unless that is asked, nor is its volume harmed", (t) => {
  const partition = partitionIn(t)
  makeSampleVolume(partition, { files })
  const before = snapshot(partition.path)
  const bytes = volumeHeaderLayout.encode(newVolumeHeader(sampleId, 77))
  const transaction = new VolumeTransaction(new InodeStore(partition, 77))
  transaction.create(specialInode(77, "linkTable"), 77)
  transaction.write(specialInode(77, "linkTable"), 0, newLinkTable())
  transaction.add({ kind: "header", volume: sampleId, bytes, replace: false })
  const error = t.throws(() => transaction.commit(), { instanceOf: AfsError })
  t.is(error.code, "VVOLEXISTS")
  t.like(error.subject, { volume: sampleId, partition: "/vicepa" })
  t.deepEqual(snapshot(partition.path), before)
  using replacing = new VolumeTransaction(storeOf(partition))
  replacing.add({ kind: "header", volume: sampleId, bytes, replace: true })
  replacing.commit()
  t.deepEqual(new Uint8Array(readFileSync(headerPath(partition, sampleId))), bytes)
  t.is(statSync(headerPath(partition, sampleId)).mode & 0o777, 0o644)
})

test("transaction: leaving a group lowers its count; the last volume takes table and folders with it", (t) => {
  const partition = partitionIn(t)
  const store = makeSampleVolume(partition)
  const leave = (): void => {
    using transaction = new VolumeTransaction(store)
    transaction.add({ kind: "leaveGroup" })
    transaction.commit()
  }
  {
    using joining = new VolumeTransaction(store)
    joining.add({ kind: "claim", vnode: 0, tag: 0, delta: 1 })
    joining.commit()
  }
  leave()
  using links = store.linkTable("read").file
  t.is(readFileSync(links.path).toString("hex"), "127787990100000001000100")
  using removing = new VolumeTransaction(store)
  for (const type of ["volumeInfo", "smallIndex", "largeIndex"] as const) {
    removing.add({ kind: "unlink", inode: specialInode(sampleId, type) })
  }
  removing.add({ kind: "release", inode: dataInode(1, 1, 0) })
  removing.add({ kind: "leaveGroup" })
  removing.add({ kind: "removeHeader", volume: sampleId })
  removing.commit()
  t.deepEqual(
    Object.keys(snapshot(partition.path)),
    partition.ownerEncoding === "openafs" ? ["AFSIDat"] : [".dafs/development", "AFSIDat"],
  )
})

// OpenAFS clears row 0 when a vnode runs out of tags; the next clone that it removes takes the table from under the others.
test("transaction: a group's count that is too small does not cost the other volumes their link table", (t) => {
  const partition = partitionIn(t)
  const store = makeSampleVolume(partition, { files })
  store.create(specialInode(sampleId + 1, "volumeInfo"), sampleId + 1).close()
  for (const count of [0, 1]) {
    store.linkTable("write").set([{ vnode: 0, tag: 0, count }])
    using transaction = new VolumeTransaction(store)
    transaction.add({ kind: "leaveGroup" })
    transaction.commit()
    using table = store.linkTable("read").file
    t.is(readFileSync(table.path)[8], 2, "two volumes have files here")
  }
})

test("transaction: applied twice, what does not count ends as applied once", (t) => {
  const partition = partitionIn(t)
  const store = makeSampleVolume(partition, { files })
  const small = specialInode(sampleId, "smallIndex")
  const writes: Exclude<MetadataWrite, { kind: "create" }>[] = [
    { kind: "link", from: small, to: specialInode(sampleId + 1, "smallIndex") },
    { kind: "owner", inode: small, parameter: sampleId + 1, number: 2 },
    { kind: "write", inode: small, offset: 64, bytes: new Uint8Array(64) },
    { kind: "truncate", inode: small, size: 128 },
    { kind: "count", vnode: 2, tag: 0, count: 0 },
    { kind: "unlink", inode: dataInode(2, 2, 0) },
    { kind: "removeHeader", volume: sampleId },
  ]
  const states = [0, 1].map(() => {
    using transaction = new VolumeTransaction(store)
    for (const write of writes) transaction.add(write)
    transaction.commit()
    return snapshot(partition.path)
  })
  t.deepEqual(states[1], states[0])
})

test("transaction: a second name is not taken from a file that has it already", (t) => {
  const store = makeSampleVolume(partitionIn(t), { files })
  using transaction = new VolumeTransaction(store)
  const [from, to] = [specialInode(sampleId, "smallIndex"), specialInode(sampleId, "largeIndex")]
  transaction.add({ kind: "link", from, to })
  t.is(t.throws(() => transaction.commit(), { instanceOf: DiskError }).code, "EEXIST")
  t.false(transaction.begun)
})

test("transaction: it ends once, and no file stays open after it", (t) => {
  const partition = partitionIn(t)
  const many: SampleFiles = Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`f${index}`, "x"]))
  const before = readdirSync("/proc/self/fd").length
  const store = makeSampleVolume(partition, { files: many })
  using transaction = new VolumeTransaction(store)
  for (let index = 0; index < 150; index++)
    transaction.write(dataInode(2 * index + 2, index + 2, 0), 0, Buffer.from("y"))
  transaction.commit()
  const lockFile = 1
  t.true(readdirSync("/proc/self/fd").length <= before + lockFile)
  t.throws(() => transaction.commit(), { message: "transaction is over" })
  t.is(readFileSync(store.path(dataInode(300, 151, 0)), "latin1"), "y")
})

/** A disk that tells of writes and syncs, by the last part of the path. */
function syncRecorder(calls: string[]): Disk {
  const last = (path: string): string => path.slice(path.lastIndexOf("/") + 1)
  const told = (file: DiskFile): DiskFile => {
    const inner = { write: file.write.bind(file), sync: file.sync.bind(file) }
    file.write = (bytes, position) => {
      calls.push(`write ${last(file.path)}`)
      inner.write(bytes, position)
    }
    file.sync = () => {
      calls.push(`sync ${last(file.path)}`)
      inner.sync()
    }
    return file
  }
  return {
    ...nodeDisk,
    open: (path, mode, permissions) => told(nodeDisk.open(path, mode, permissions)),
    syncDirectory(path) {
      calls.push(`sync ${last(path)}/`)
      nodeDisk.syncDirectory(path)
    },
    unlink(path) {
      calls.push(`unlink ${last(path)}`)
      nodeDisk.unlink(path)
    },
    link(existing, name) {
      calls.push(`link ${last(name)}`)
      nodeDisk.link(existing, name)
    },
  }
}

test("transaction: with syncs, what is pointed to is on the platter before what points, and that before what goes", (t) => {
  const plain = partitionIn(t)
  makeSampleVolume(plain, { files })
  const calls: string[] = []
  const store = storeOf(over(plain, syncRecorder(calls)))
  using transaction = new VolumeTransaction(store)
  const [tag = 0] = transaction.allocate([2])
  transaction.create(dataInode(2, 2, tag), 1).write(Buffer.from("first"), 0)
  transaction.write(specialInode(sampleId, "smallIndex"), 64, new Uint8Array(64))
  transaction.add({ kind: "release", inode: dataInode(2, 2, 0) })
  transaction.commit("always")
  const index = "zzzz9M++++0"
  const first = (call: string): number => {
    const place = calls.indexOf(call)
    t.true(place >= 0, `${call} in ${calls.join(", ")}`)
    return place
  }
  const order = ["write 0+++26", "sync 0+++26", `write ${index}`, `sync ${index}`, "unlink 0++++6"].map(first)
  t.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  )
  t.true(first("sync +/") < first(`write ${index}`), "the new file's name, too")
  t.true(calls.lastIndexOf("sync zzzzPM++++0") > first("unlink 0++++6"))
  t.true(calls.lastIndexOf("sync +/") > first("unlink 0++++6"))
})

test("transaction: with syncs, files that were open already and headers are on the platter as well", (t) => {
  const plain = partitionIn(t)
  makeSampleVolume(plain, { files })
  const calls: string[] = []
  const partition = over(plain, syncRecorder(calls))
  {
    using volume = openVolume(partition, sampleId, "write")
    volume.writeInfo("always")
    t.deepEqual(calls, ["write zzzz5M++++0", "sync zzzz5M++++0"])
  }
  calls.length = 0
  using transaction = new VolumeTransaction(storeOf(partition))
  const bytes = volumeHeaderLayout.encode(newVolumeHeader(sampleId + 1, sampleId))
  transaction.add({ kind: "header", volume: sampleId + 1, bytes, replace: false })
  transaction.commit("always")
  const draft = `V0536870919.vol.${process.pid}`
  const wanted = [`write ${draft}`, `sync ${draft}`, "link V0536870919.vol", `unlink ${draft}`, "sync vicepa/"]
  t.deepEqual(calls.slice(-wanted.length), wanted)
})
