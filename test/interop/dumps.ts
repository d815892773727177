/** Dumps go both ways: `vos restore` takes ours, we take those of `vos dump`, and they differ in nothing but dates of use. */
import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import type { DumpSource } from "../../common/dump/dump-window.ts"
import type { DumpSink } from "../../common/dump/dump-writer.ts"
import { openPartition, type Partition } from "../../common/partition/partition.ts"
import { dumpVolume } from "../../volserver/operations/dump.ts"
import { restoreVolume } from "../../volserver/operations/restore.ts"
import { type Cell, cellAddress, sharedCell, wholeCell } from "../support/cell.ts"
import { type DumpParts, DumpSplitter } from "../support/dump-parts.ts"
import {
  type CleanFixture,
  cleanFixtures,
  fixtureManifest,
  type ManifestDump,
  unpackDumps,
  unpackFixture,
} from "../support/fixture.ts"
import { describeTree, type PartitionState, readPartitionState, type VolumeState } from "../support/partition-state.ts"
import { needsCell, needsCellAndPatience } from "../support/requirements.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition, standaloneContext } from "../support/volume-builder.ts"

const cell = sharedCell(...wholeCell)

/** Access date, day of use, uses on that day, and the message that says who had the volume last. */
const useFields = new Set(["volume.A", "volume.D", "volume.Z", "volume.O"])

function withoutUse(parts: DumpParts): unknown {
  const headers = Object.entries(parts.headers).filter(([name]) => !useFields.has(name))
  return { ...parts, headers: Object.fromEntries(headers) }
}

/** A sink or a source over a file; whoever made it closes it. */
class DumpFile implements DumpSink, DumpSource, Disposable {
  readonly path: string
  readonly #descriptor: number

  constructor(path: string, mode: "r" | "wx") {
    this.path = path
    this.#descriptor = openSync(path, mode)
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#descriptor, bytes, at)
  }

  read(into: Uint8Array): number {
    return readSync(this.#descriptor, into)
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor)
  }
}

function partsOfFile(path: string): DumpParts {
  using file = new DumpFile(path, "r")
  const splitter = new DumpSplitter()
  const piece = new Uint8Array(1 << 20)
  for (let count = file.read(piece); count > 0; count = file.read(piece)) splitter.write(piece.subarray(0, count))
  return splitter.end()
}

async function dumpInto(partition: Partition, id: number, sink: DumpSink, from = 0): Promise<void> {
  const place = { partition, id }
  await dumpVolume(standaloneContext([partition]), { place, from, omitDirectories: false, sink })
}

/** Read-write volumes of a fixture and the dumps that `vos dump` made of them. */
function dumpedVolumes(name: CleanFixture): { id: number; dump: ManifestDump }[] {
  const { volumes, dumps } = fixtureManifest(name)
  return dumps.flatMap((dump) => {
    const id = volumes.find((volume) => volume.name === dump.volume)?.id
    return id === undefined ? [] : [{ id, dump }]
  })
}

const fileOf = (dump: ManifestDump): string => dump.file.replace(/\.xz$/, "")

async function sameDumps(t: ExecutionContext, name: CleanFixture): Promise<void> {
  const [directory, dumps] = [temporaryDirectory(t), temporaryDirectory(t)]
  unpackFixture(name, directory)
  unpackDumps(name, dumps)
  const partition = openPartition(directory)
  for (const { id, dump } of dumpedVolumes(name)) {
    const splitter = new DumpSplitter()
    await dumpInto(partition, id, splitter, dump.from)
    const theirs = partsOfFile(join(dumps, fileOf(dump)))
    // v.off was put out of service after it was dumped.
    const headers = dump.volume === "v.off" ? { ...theirs.headers, "volume.s": 0 } : theirs.headers
    t.deepEqual(withoutUse(splitter.end()), withoutUse({ ...theirs, headers }), dump.file)
  }
}

for (const name of cleanFixtures)
  test(`${name}: full and incremental dumps are those of vos but for dates of use`, async (t) => {
    await sameDumps(t, name)
  })

async function restoreHere(
  partition: Partition,
  dump: string,
  name: string,
  over: "abort" | "incremental",
): Promise<number> {
  using source = new DumpFile(dump, "r")
  const request = { source, path: dump, partition, name, overwrite: over }
  return (await restoreVolume(standaloneContext([partition]), request)).id
}

function treeOf(volume: VolumeState | undefined): Record<string, string> {
  return volume === undefined ? {} : describeTree(volume)
}

/** Hashing the gigabytes of `large` once per kind of dump is enough. */
const readState = (directory: string, name: CleanFixture, contents: boolean): PartitionState =>
  readPartitionState(directory, { contents: contents || name !== "large" })

async function restoresTheirs(t: ExecutionContext, name: CleanFixture): Promise<void> {
  const place = name === "large" ? "disk" : "anywhere"
  const [original, dumps, copy] = [temporaryDirectory(t), temporaryDirectory(t), temporaryDirectory(t, place)]
  unpackFixture(name, original)
  unpackDumps(name, dumps)
  const partition = newPartition(join(copy, "vicepa"))
  const copies = new Map<number, number>()
  const compare = (contents: boolean, what: string): void => {
    const [wanted, found] = [readState(original, name, contents), readState(partition.path, name, contents)]
    t.deepEqual(found.problems, [], what)
    for (const [id, copyId] of copies)
      t.deepEqual(treeOf(found.volumes.get(copyId)), treeOf(wanted.volumes.get(id)), `volume ${id}, ${what}`)
  }
  const full = dumpedVolumes(name).filter(({ dump }) => dump.kind === "full")
  for (const { id, dump } of full)
    copies.set(id, await restoreHere(partition, join(dumps, fileOf(dump)), dump.volume, "abort"))
  compare(true, "full")
  for (const { dump } of full)
    await restoreHere(partition, join(dumps, fileOf(dump).replace(".dump", ".inc.dump")), dump.volume, "incremental")
  compare(false, "then incremental")
}

for (const name of cleanFixtures)
  test(`${name}: dumps made by vos restore here to the same trees`, async (t) => {
    t.timeout(300_000)
    await restoresTheirs(t, name)
  })

/** Has vos restore our dump of every volume of a fixture as R0, R1 ... @returns ids there by ids here */
async function restoreThere(t: ExecutionContext, inside: Cell, name: CleanFixture): Promise<Map<number, number>> {
  const [directory, dumps] = [temporaryDirectory(t), temporaryDirectory(t, name === "large" ? "disk" : "anywhere")]
  unpackFixture(name, directory)
  const partition = openPartition(directory)
  const ids = new Map<number, number>()
  for (const [index, { id }] of fixtureManifest(name).volumes.entries()) {
    const ours = join(dumps, `${index}.dump`)
    {
      using sink = new DumpFile(ours, "wx")
      await dumpInto(partition, id, sink)
    }
    const copy = `${name}.r${index}`
    await inside.vos("restore", cellAddress, "b", copy, "-file", ours, "-noauth")
    ids.set(id, await inside.volumeId(copy))
    const theirs = join(dumps, `${index}.theirs`)
    await inside.vos("dump", copy, "-file", theirs, "-noauth")
    t.is(partsOfFile(theirs).hash, partsOfFile(ours).hash, `${name} volume ${id}: dumped again by vos`)
  }
  return ids
}

async function sameThere(t: ExecutionContext, name: CleanFixture): Promise<void> {
  const original = temporaryDirectory(t)
  unpackFixture(name, original)
  const ids = await restoreThere(t, cell(), name)
  await cell().stop("fs", "vol")
  const theirs = readPartitionState(cell().partition("b"))
  await cell().start("fs", "vol")
  const ours = readPartitionState(original)
  for (const [here, there] of ids)
    t.deepEqual(treeOf(theirs.volumes.get(there)), treeOf(ours.volumes.get(here)), `${name} volume ${here}`)
  t.deepEqual(theirs.problems, [])
  for (const there of ids.values()) await cell().vos("remove", cellAddress, "b", String(there), "-noauth")
}

for (const name of cleanFixtures)
  (name === "large" ? needsCellAndPatience : needsCell).serial(
    `${name}: vos restores our dump of each volume to the same tree, and dumps the same bytes again`,
    async (t) => {
      t.timeout(name === "large" ? 900_000 : 120_000)
      await sameThere(t, name)
    },
  )

needsCell.serial(
  "dump: an edited stream that vos refuses is refused here too, and leaves nothing behind",
  async (t) => {
    const dumps = temporaryDirectory(t)
    unpackDumps("names", dumps)
    const good = readFileSync(join(dumps, "names.v.names.dump"))
    const cut = join(dumps, "cut.dump")
    {
      using sink = new DumpFile(cut, "wx")
      sink.write(good.subarray(0, good.length - 1000))
    }
    const there = await cell().try("vos", ["restore", cellAddress, "b", "cut", "-file", cut, "-noauth"])
    t.not(there.status, 0)
    const partition = newPartition(join(temporaryDirectory(t), "vicepa"))
    await t.throwsAsync(restoreHere(partition, cut, "cut", "abort"), { message: /cut\.dump/ })
    t.deepEqual([...readPartitionState(partition.path).volumes.keys()], [])
    t.deepEqual(readPartitionState(partition.path).problems, [])
  },
)
