/**
 * How long does a salvage take, from the start of the program to its end, against dasalvager on the same partition? One
 * volume of 100,000 files in 1,000 directories, and 300 small volumes; clean, and with damage in every structure. The cache
 * is warm. Each run with damage has a copy of its own, made outside the time; those with OpenAFS need root.
 *
 * The damage is of kinds that dasalvager mends without a word to a fileserver: it would wait minutes for one.
 */
import { execFileSync } from "node:child_process"
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { specialInode } from "../common/partition/inode-number.ts"
import { InodeStore } from "../common/partition/inode-store.ts"
import { openPartition } from "../common/partition/partition.ts"
import { recordInode, recordOffset, vnodeRecordLayout } from "../common/vnode/vnode-record.ts"
import { Survey } from "../salvager/survey.ts"
import { manyFiles } from "../test/support/dump-builder.ts"
import { newPartition, volumeOf } from "../test/support/volume-builder.ts"
import { type Answer, answer, inTemporaryDirectory, report, type Side } from "./measure.ts"
import { canHaveCell, type PeerCell, startPeerCell } from "./peer-cell.ts"

const goal = { atMost: 0.5 }
const rounds = Number(process.env["DAFS_BENCH_ROUNDS"] ?? 5)
const dafsProgram = join(import.meta.dirname, "..", "cli", "dafs.js")

function patch(path: string, at: number, length: number, change: (bytes: Buffer) => void): void {
  const file = openSync(path, "r+")
  const bytes = Buffer.alloc(length)
  readSync(file, bytes, 0, length, at)
  change(bytes)
  writeSync(file, bytes, 0, length, at)
  closeSync(file)
}

/** Makes in every volume: wrong link counts, wrong lengths, a wrong parent, wrong counts in VolumeInfo and damaged directories. */
function damage(directory: string): void {
  const partition = openPartition(directory)
  for (const group of new Survey(partition).allGroups()) {
    const store = new InodeStore(partition, group)
    const [small, large] = [
      store.path(specialInode(group, "smallIndex")),
      store.path(specialInode(group, "largeIndex")),
    ]
    const links = store.path(specialInode(group, "linkTable"))
    const fileCount = (store.stat(specialInode(group, "smallIndex"))?.size ?? 0) / 64 - 1
    const folderCount = (store.stat(specialInode(group, "largeIndex"))?.size ?? 0) / 256 - 1
    for (let file = 3; file < fileCount; file += 17) {
      patch(links, 8 + 2 * (2 * file + 2), 2, (bytes) => bytes.writeUInt16LE(3))
      patch(small, 64 * (file + 1), 64, (bytes) => bytes.writeUInt32LE(bytes.readUInt32LE(4) + 5, 4))
    }
    patch(small, recordOffset(2), 64, (bytes) => bytes.writeUInt32LE(1, 32))
    patch(store.path(specialInode(group, "volumeInfo")), 152, 4, (bytes) => bytes.writeInt32LE(7))
    for (let folder = 1; folder < folderCount; folder += 20) damageDirectory(store, large, 2 * folder + 1)
  }
}

/** A bit of the bitmap: the directory is rebuilt. */
function damageDirectory(store: InodeStore, index: string, vnode: number): void {
  let path = ""
  patch(index, recordOffset(vnode), vnodeRecordLayout.size, (bytes) => {
    path = store.path(recordInode(vnodeRecordLayout.read(bytes)))
  })
  patch(path, 12, 1, (bytes) => bytes.fill((bytes[0] ?? 0) ^ 0x80))
}

interface Bench {
  /** Folder of the partition to be salvaged; both sides see it under the same name. */
  readonly directory: string
  readonly cell: PeerCell | undefined
}

function seconds(work: () => void): number {
  const begin = performance.now()
  work()
  return (performance.now() - begin) / 1000
}

/** Puts a fresh copy of the partition into place. */
function renew(source: string, { directory }: Bench): void {
  execFileSync("find", [directory, "-mindepth", "1", "-delete"])
  execFileSync("cp", ["-a", `${source}/.`, directory])
  writeFileSync(join(directory, "AlwaysAttach"), "")
}

function sides(source: string, bench: Bench): { ours: Side; peer: Side | undefined } {
  const { directory, cell } = bench
  const round = (work: () => void) => (): number => {
    renew(source, bench)
    return seconds(work)
  }
  const words = ["salvager", "--partition", directory, "--force", "--offline", "--state-dir", join(directory, "none")]
  // both by way of the cell, whose door takes some time
  const run = (): void => {
    if (cell === undefined) execFileSync(process.execPath, [dafsProgram, ...words], { stdio: "ignore" })
    else cell.exec(process.execPath, dafsProgram, ...words)
  }
  const theirs = (): void =>
    void cell?.exec("/usr/lib/openafs/dasalvager", "-partition", "/vicepa", "-force", "-orphans", "attach")
  return {
    ours: { name: "dafs salvager", round: round(run) },
    peer: cell === undefined ? undefined : { name: "dasalvager", round: round(theirs) },
  }
}

/** Memory of a salvage above that of one without anything to do, in bytes for each vnode. */
function memoryPerVnode(source: string, empty: string, vnodes: number): Answer {
  const peak = (partition: string): number => {
    const source = `
      const { salvagePartition } = await import(${JSON.stringify(join(import.meta.dirname, "..", "salvager", "salvage.js"))})
      const { openPartition } = await import(${JSON.stringify(join(import.meta.dirname, "..", "common", "partition", "partition.js"))})
      const options = { readOnly: true, force: true, orphans: "attach", salvageDirs: false, claimant: { program: "salvager" } }
      await salvagePartition(openPartition(${JSON.stringify(partition)}), options, () => undefined)
      // not resourceUsage().maxRSS, which is at least what the process that started this one had
      console.log(/^VmHWM:\\s+(\\d+) kB$/m.exec((await import("node:fs")).readFileSync("/proc/self/status", "utf8"))[1])`
    const flags = ["--max-semi-space-size=1", "--input-type=module", "-e", source]
    return 1024 * Number(execFileSync(process.execPath, flags, { encoding: "utf8" }))
  }
  const [full, none] = [peak(source), peak(empty)]
  const ours = (full - none) / vnodes
  const known = { what: "memory of a salvage, per vnode", unit: "bytes", ours, peer: undefined, peerName: undefined }
  const goalMet = { goal: { atMost: 300 }, met: ours <= 300 }
  return { ...known, ratio: undefined, range: [ours, ours], rounds: 1, ...goalMet }
}

await inTemporaryDirectory(async (root) => {
  const sources = { one: join(root, "one", "vicepa"), many: join(root, "many", "vicepa"), empty: join(root, "empty") }
  mkdirSync(join(root, "one"))
  mkdirSync(join(root, "many"))
  await volumeOf(newPartition(sources.one), "v.many", manyFiles(100_000, 100))
  const many = newPartition(sources.many)
  for (let index = 0; index < 300; index++) await volumeOf(many, `v.${index}`, manyFiles(20, 200))
  newPartition(sources.empty)
  using cell = canHaveCell() ? startPeerCell(join(root, "cell")) : undefined
  const directory = cell === undefined ? join(root, "vicepa") : join(cell.directory, "vicepa")
  mkdirSync(directory, { recursive: true })
  const answers: Answer[] = []
  for (const [what, source] of [
    ["one volume of 100,000 files", sources.one],
    ["300 small volumes", sources.many],
  ] as const) {
    for (const state of ["clean", "damaged"] as const) {
      if (state === "damaged") damage(source)
      const { ours, peer } = sides(source, { directory, cell })
      answers.push(await answer({ what: `${what}, ${state}`, unit: "s", ours, peer, goal, rounds }))
    }
    if (source === sources.one) answers.push(memoryPerVnode(sources.one, sources.empty, 101_001))
  }
  report(answers)
  rmSync(directory, { recursive: true, force: true })
})
