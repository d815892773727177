/** Many salvages and dumps at a time, by many processes, on one partition. */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { lockVolume } from "../../common/lock/volume-lock.ts"
import { specialInode } from "../../common/partition/inode-number.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { rowOffset } from "../../common/partition/link-table-format.ts"
import { openPartition, type Partition } from "../../common/partition/partition.ts"
import { startFileserver } from "../support/fileserver-process.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { makeSampleVolume } from "../support/sample-volume.ts"
import { runDafs, spawnSource } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition, volumeOf } from "../support/volume-builder.ts"

const first = 536_870_912
const program = "test/process/volume-work.program.ts"

function emptyPartition(t: ExecutionContext): Partition {
  const path = join(temporaryDirectory(t), "vicepa")
  newPartition(path)
  return openPartition(path)
}

const linkTableOf = (partition: Partition, id: number): string =>
  new InodeStore(partition, id).path(specialInode(id, "linkTable"))

/** A volume of one file, whose link count says that nobody uses that. */
function makeDamaged(partition: Partition, id: number): number {
  makeSampleVolume(partition, { id, files: { note: `of volume ${id}` } })
  const table = openSync(linkTableOf(partition, id), "r+")
  writeSync(table, new Uint8Array(2), 0, 2, rowOffset(2))
  closeSync(table)
  return id
}

const isRepaired = (partition: Partition, id: number): boolean =>
  readFileSync(linkTableOf(partition, id)).readUInt16LE(rowOffset(2)) === 1

test("50 volumes are salvaged by five processes while three others dump volumes of the same partition: nobody waits, nothing fails", async (t) => {
  const partition = emptyPartition(t)
  const damaged = Array.from({ length: 50 }, (_, index) => makeDamaged(partition, first + index))
  const dumped: number[] = []
  for (let index = 0; index < 6; index++)
    dumped.push(await volumeOf(partition, `dumped.${index}`, { large: { size: 400_000, seed: index }, small: "text" }))
  const server = await startFileserver(t, [partition])
  const start = (work: string, ids: readonly number[]): ReturnType<typeof spawnSource> =>
    spawnSource(t, program, [server.stateDirectory, partition.path, work, ...ids.map(String)])
  const dumpers = [0, 2, 4].map((index) => start("dump", dumped.slice(index, index + 2)))
  await Promise.all(dumpers.map((dumper) => dumper.line(/^dumping$/)))
  const salvagers = [0, 10, 20, 30, 40].map((index) => start("salvage", damaged.slice(index, index + 10)))
  const ends = await Promise.all(salvagers.map(({ ended }) => ended))
  for (const dumper of dumpers) dumper.signal("SIGTERM")
  const dumps = await Promise.all(dumpers.map(({ ended }) => ended))
  t.deepEqual(
    ends.flatMap(({ stdout, stderr }) => [...stdout.trim().split("\n"), ...(stderr === "" ? [] : [stderr])]).sort(),
    damaged.map((id) => `${id} repaired`).sort(),
  )
  for (const { status, stdout, stderr } of dumps) {
    t.deepEqual([status, stderr], [0, ""])
    t.is(stdout.trim().split("\n").length, 3, `every dump of a volume is the same: ${stdout}`)
  }
  for (const id of damaged) t.true(isRepaired(partition, id))
  for (const id of [...damaged, ...dumped]) t.is(await server.access(id), "ok", `volume ${id} is served`)
  await server.stop()
  t.deepEqual(partitionProblems(partition.path), [])
})

test("salvages of two groups run at the same time; one of a volume that somebody has is refused at once and names who", async (t) => {
  const partition = emptyPartition(t)
  const [free, held] = [makeDamaged(partition, first), makeDamaged(partition, first + 1)]
  using _lock = lockVolume(partition, held, "read")
  const where = ["--partition", partition.path, "--offline", "--state-dir", join(partition.path, "..")]
  const salvage = (id: number): ReturnType<typeof runDafs> => runDafs(["salvager", "--volumeid", String(id), ...where])
  const [done, refused] = await Promise.all([salvage(free), salvage(held)])
  t.is(done.status, 0, done.stderr)
  t.true(isRepaired(partition, free))
  t.is(refused.status, 11, refused.stdout)
  t.regex(refused.stderr, new RegExp(`volume ${held}.*pid ${process.pid}`))
  t.false(isRepaired(partition, held), "nothing of it was touched")
})
