import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import test from "ava"
import { systemClock } from "../../../common/clock.ts"
import { DiskError } from "../../../common/disk/disk.ts"
import { tryLockHeaders } from "../../../common/lock/header-lock.ts"
import { createPartition, headerPath, type Partition } from "../../../common/partition/partition.ts"
import { PartitionGroups } from "../../../common/volume/volume-group-scan.ts"
import { newVolumeHeader, volumeHeaderLayout } from "../../../common/volume/volume-header.ts"
import { anyLocker, holdForeign, needsLocker } from "../../support/foreign-lock.ts"
import { keptLog } from "../../support/served-volumes.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"
import { virtualClock } from "../../support/virtual-clock.ts"

type Context = Parameters<typeof temporaryDirectory>[0]

const headerBytes = (id: number, parent: number): Uint8Array => volumeHeaderLayout.encode(newVolumeHeader(id, parent))
const isAside = (name: string): boolean => name.includes(".bad-")

/** A partition with nothing but header files, which is all that a scan looks at. */
function partitionOf(t: Context, headers: readonly (readonly [id: number, parent: number])[]): Partition {
  const partition = createPartition(`${temporaryDirectory(t)}/vicepa`, { development: true })
  for (const [id, parent] of headers) writeFileSync(headerPath(partition, id), headerBytes(id, parent))
  return partition
}

function groupsOf(t: Context, partition: Partition): PartitionGroups {
  const groups = new PartitionGroups(partition, virtualClock(), keptLog())
  t.teardown(() => groups.close())
  return groups
}

const group = (parent: number, ...members: number[]): object => ({ kind: "group", parent, members })

test("group scan: the first query starts one, all queries until its end are refused, then all answers are whole", async (t) => {
  const headers = Array.from({ length: 500 }, (_, index) => [index + 1, index + 1 - (index % 5)] as const)
  const groups = groupsOf(t, partitionOf(t, headers))
  t.is(groups.state, "INVALID")
  for (let query = 0; query < 10; query++) t.deepEqual(groups.query(1 + query), { kind: "scanning" })
  t.is(groups.state, "UPDATING")
  await groups.idle()
  t.is(groups.size, 500)
  t.deepEqual(groups.query(3), group(1, 1, 2, 3, 4, 5))
  t.deepEqual(groups.query(501), { kind: "unknown" })
})

test("group scan: the event loop goes on while thousands of headers are read", async (t) => {
  const headers = Array.from({ length: 3000 }, (_, index) => [index + 1, index + 1] as const)
  const groups = groupsOf(t, partitionOf(t, headers))
  groups.startScan()
  let turns = 0
  let over = false
  const count = (): void => {
    turns++
    if (!over) setImmediate(count)
  }
  setImmediate(count)
  await groups.idle()
  over = true
  t.true(turns >= 3, `${turns} turns`)
  t.is(groups.size, 3000)
})

test("group scan: headers count by what they contain, not by their names", async (t) => {
  const partition = partitionOf(t, [[10, 10]])
  copyFileSync(headerPath(partition, 10), `${partition.path}/V0000000099.vol`)
  writeFileSync(`${partition.path}/V12.vol`, headerBytes(11, 10))
  writeFileSync(`${partition.path}/V.vol`, "nothing")
  writeFileSync(`${partition.path}/W0000000001.vol`, "nothing")
  const groups = groupsOf(t, partition)
  groups.startScan()
  await groups.idle()
  t.deepEqual(groups.query(10), group(10, 10, 11))
  t.deepEqual(groups.query(99), { kind: "unknown" })
  t.true(existsSync(`${partition.path}/V.vol`))
})

test("group scan: a volume removed while the scan runs is not known afterwards, one that was added is", async (t) => {
  const partition = partitionOf(t, [
    [10, 10],
    [11, 10],
    [12, 10],
  ])
  const groups = groupsOf(t, partition)
  groups.startScan()
  unlinkSync(headerPath(partition, 11))
  groups.remove(10, 11)
  writeFileSync(headerPath(partition, 13), headerBytes(13, 10))
  t.true(groups.add(10, 13))
  t.false(groups.startScan(), "one scan at a time")
  await groups.idle()
  t.deepEqual(groups.query(11), { kind: "unknown" })
  const answer = groups.query(10)
  t.deepEqual(answer.kind === "group" ? [...answer.members].sort() : [], [10, 12, 13])
})

/**
 * OpenAFS 1.8.9 unlinks a header that it meets between its creation and its first write: the volume that was being made
 * is lost.
 */
needsLocker("group scan: a header that is just being written is waited for, and stays", async (t) => {
  const partition = partitionOf(t, [[10, 10]])
  const writer = await holdForeign(t, anyLocker(), `${partition.path}/.volheaders.lock`, { type: "read", first: 1 })
  const path = headerPath(partition, 11)
  const file = openSync(path, "wx")
  const groups = new PartitionGroups(partition, systemClock, keptLog())
  t.teardown(() => groups.close())
  groups.startScan()
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  t.is(groups.state, "UPDATING", "the scan waits for the writer")
  t.true(existsSync(path))
  writeSync(file, headerBytes(11, 10))
  closeSync(file)
  await writer.stop("SIGKILL")
  await groups.idle()
  t.deepEqual(groups.query(11), group(10, 10, 11))
  t.deepEqual(readdirSync(partition.path).filter(isAside), [])
})

/** A writer stopped in the middle, and one bad header on the partition, kept every salvager of the partition waiting. */
test("group scan: a writer that never ends is not waited for for ever; nothing is judged meanwhile, and the next query is told", async (t) => {
  const partition = partitionOf(t, [[10, 10]])
  writeFileSync(headerPath(partition, 11), "")
  const writer = tryLockHeaders(partition, "read", "a writer")
  const log = keptLog()
  const groups = new PartitionGroups(partition, systemClock, log, 20)
  t.teardown(() => groups.close())
  groups.startScan()
  await groups.idle()
  t.deepEqual(groups.query(10), { kind: "failed" })
  t.true(existsSync(headerPath(partition, 11)))
  t.regex(log.lines.map((line) => JSON.stringify(line)).join(), /the scan for volume groups failed/)
  writer?.release()
  groups.startScan()
  await groups.idle()
  t.deepEqual(groups.query(10), group(10, 10))
  t.deepEqual(readdirSync(partition.path).filter(isAside).length, 1)
})

test("group scan: what is still no header when nobody writes is put aside under a name that tells when, not removed", async (t) => {
  const partition = partitionOf(t, [
    [10, 10],
    [11, 10],
    [12, 10],
    [13, 10],
  ])
  writeFileSync(headerPath(partition, 11), "")
  writeFileSync(headerPath(partition, 12), Buffer.alloc(76, 7))
  writeFileSync(headerPath(partition, 13), headerBytes(0, 10))
  const groups = groupsOf(t, partition)
  groups.startScan()
  await groups.idle()
  t.deepEqual(groups.query(10), group(10, 10))
  const aside = readdirSync(partition.path).filter(isAside).sort()
  const at = Math.floor(Date.UTC(2026, 0, 1) / 1000)
  t.deepEqual(
    aside,
    [11, 12, 13].map((id) => `V00000000${id}.vol.bad-${at}`),
  )
  t.deepEqual(readFileSync(`${partition.path}/${aside[1]}`), Buffer.alloc(76, 7))
})

test("group scan: closing ends one that waits for the header lock", async (t) => {
  const partition = partitionOf(t, [])
  writeFileSync(headerPath(partition, 11), "")
  using _writer = tryLockHeaders(partition, "read", "a writer")
  const groups = groupsOf(t, partition)
  groups.startScan()
  await new Promise((resolve) => setImmediate(resolve))
  await groups.close()
  t.is(groups.state, "INVALID")
  t.true(existsSync(headerPath(partition, 11)))
  t.false(groups.startScan(), "and no other one starts")
})

test("group scan: a header that cannot be read leaves no answer but a failure, told once per scan", async (t) => {
  const partition = partitionOf(t, [
    [10, 10],
    [11, 10],
  ])
  let broken = true
  const open: Partition["disk"]["open"] = (path, mode, permissions) => {
    if (broken && path === headerPath(partition, 11))
      throw new DiskError("read", path, Object.assign(new Error(), { code: "EIO" }), 0)
    return partition.disk.open(path, mode, permissions)
  }
  const groups = groupsOf(t, { ...partition, disk: { ...partition.disk, open } })
  t.deepEqual(groups.query(10), { kind: "scanning" })
  await groups.idle()
  t.deepEqual(groups.query(10), { kind: "failed" }, "a salvager then reads the headers itself")
  t.deepEqual(groups.query(10), { kind: "scanning" }, "and the next one starts another scan")
  await groups.idle()
  broken = false
  t.deepEqual(groups.query(10), { kind: "failed" })
  t.deepEqual(groups.query(10), { kind: "scanning" })
  await groups.idle()
  t.deepEqual(groups.query(10), group(10, 10, 11))
  t.true(existsSync(headerPath(partition, 11)))
})

/** A directory, or a link to one, under a header's name kept a partition without a group cache for good. */
test("group scan: a directory with a header's name is skipped and reported, and nothing of it is touched", async (t) => {
  const partition = partitionOf(t, [[10, 10]])
  mkdirSync(headerPath(partition, 11))
  symlinkSync("/", headerPath(partition, 12))
  symlinkSync("/nowhere", headerPath(partition, 13))
  const log = keptLog()
  const groups = new PartitionGroups(partition, virtualClock(), log)
  t.teardown(() => groups.close())
  groups.startScan()
  await groups.idle()
  t.is(groups.state, "VALID")
  t.deepEqual(groups.query(10), group(10, 10))
  const said = log.lines.map((line) => JSON.stringify(line)).filter((line) => line.includes("a directory has the name"))
  for (const id of [11, 12]) t.true(said.some((line) => line.includes(headerPath(partition, id))))
  t.deepEqual(readdirSync(partition.path).filter(isAside), [])
})

test("group scan: an addition that contradicts what is known is settled by the header on disk", async (t) => {
  const partition = partitionOf(t, [
    [10, 10],
    [11, 10],
    [20, 20],
  ])
  const groups = groupsOf(t, partition)
  groups.startScan()
  await groups.idle()
  t.false(groups.add(20, 11), "the header says 10")
  t.deepEqual(groups.query(11), group(10, 10, 11))
  writeFileSync(headerPath(partition, 11), headerBytes(11, 20))
  t.true(groups.add(20, 11), "the header says so, the cache was out of date")
  t.deepEqual(groups.query(20), group(20, 20, 11))
  t.deepEqual(groups.query(10), group(10, 10))
  renameSync(headerPath(partition, 11), `${partition.path}/away`)
  t.false(groups.add(10, 11))
})

test("group scan: the 21st member of a group is refused; if its header is there the group is not answered any more", async (t) => {
  const headers = Array.from({ length: 20 }, (_, index) => [10 + index, 10] as const)
  const partition = partitionOf(t, headers)
  const groups = groupsOf(t, partition)
  groups.startScan()
  await groups.idle()
  t.false(groups.add(10, 99))
  t.is(groups.query(10).kind, "group", "there is no such header")
  writeFileSync(headerPath(partition, 99), headerBytes(99, 10))
  t.false(groups.add(10, 99))
  t.deepEqual(
    groups.query(10),
    { kind: "unclear" },
    "an answer would leave out a volume whose data a salvage would free",
  )
  groups.remove(10, 99)
  t.is(groups.query(10).kind, "group")
})

test("group scan: a file that only claims to be a header is not read whole", async (t) => {
  const partition = partitionOf(t, [])
  writeFileSync(headerPath(partition, 11), Buffer.concat([headerBytes(11, 11), Buffer.alloc(1 << 20)]))
  const seen: number[] = []
  const open: Partition["disk"]["open"] = (path, mode, permissions) => {
    const file = partition.disk.open(path, mode, permissions)
    const read = file.read.bind(file)
    file.read = (into, position) => {
      seen.push(into.length)
      return read(into, position)
    }
    return file
  }
  const groups = groupsOf(t, { ...partition, disk: { ...partition.disk, open } })
  groups.startScan()
  await groups.idle()
  t.deepEqual(seen, [76])
  t.deepEqual(groups.query(11), group(11, 11))
})
