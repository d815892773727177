/** Dumps and directories to test with: those that `vos dump` wrote, and sources that give a stream in pieces. */
import { readdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Directory } from "../../common/directory/directory.ts"
import { DumpReader } from "../../common/dump/dump-reader.ts"
import type { DumpSource } from "../../common/dump/dump-window.ts"
import { type CleanFixture, cleanFixtures, unpackDumps } from "./fixture.ts"
import { makeTemporaryDirectory } from "./temporary-directory.ts"

/** A dump as `vos dump` wrote it. */
export interface SampleDump {
  /** `tree.v.tree.dump`, `tree.v.tree.inc.dump`. */
  readonly name: string
  readonly bytes: Buffer
}

/** A directory's data file out of such a dump. */
export interface SampleDirectory {
  readonly dump: string
  readonly vnode: number
  readonly unique: number
  readonly bytes: Uint8Array
}

const samples = new Map<CleanFixture, readonly SampleDump[]>()

/** All dumps of a fixture; not for `large`, whose dumps have gigabytes. */
export function sampleDumps(fixture: Exclude<CleanFixture, "large">): readonly SampleDump[] {
  const known = samples.get(fixture)
  if (known !== undefined) return known
  const folder = makeTemporaryDirectory()
  try {
    unpackDumps(fixture, folder)
    const names = readdirSync(folder).filter((name) => name.endsWith(".dump"))
    const dumps = names.sort().map((name) => ({ name, bytes: readFileSync(join(folder, name)) }))
    samples.set(fixture, dumps)
    return dumps
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** All dumps of all fixtures but `large`. */
export function allSampleDumps(): readonly SampleDump[] {
  return cleanFixtures.flatMap((fixture) => (fixture === "large" ? [] : sampleDumps(fixture)))
}

/** One dump by its name. */
export function sampleDump(name: string): Buffer {
  const found = allSampleDumps().find((dump) => dump.name === name)
  if (found === undefined) throw new Error(`there is no dump ${name}`)
  return found.bytes
}

/** All directories of the full dumps. */
export function sampleDirectories(): readonly SampleDirectory[] {
  return allSampleDumps().flatMap((dump) => (dump.name.includes(".inc.") ? [] : directoriesOf(dump)))
}

function directoriesOf(dump: SampleDump): SampleDirectory[] {
  const reader = new DumpReader(sourceOf(dump.bytes))
  const directories: SampleDirectory[] = []
  for (let event = reader.next(); event.kind !== "end"; event = reader.next()) {
    if (event.kind !== "data" || event.vnode.type !== 2) continue
    const bytes = new Uint8Array(event.length)
    reader.read(bytes)
    directories.push({ dump: dump.name, vnode: event.vnode.vnode, unique: event.vnode.unique, bytes })
  }
  return directories
}

/** The directory of this name in the root of fixture `bigdir`: 1500 entries, holes, emptied, more than 128 pages. */
export function bigDirectory(name: "d1500" | "holes" | "emptied" | "long"): Uint8Array {
  const directories = directoriesOf({ name: "v.big", bytes: sampleDump("bigdir.v.big.dump") })
  const root = directories.find((directory) => directory.vnode === 1)
  if (root === undefined) throw new Error("v.big has no root")
  const id = Directory.parse(root.bytes).lookup(Buffer.from(name))
  const found = directories.find((directory) => directory.vnode === id?.vnode)
  if (found === undefined) throw new Error(`v.big has no ${name}`)
  return found.bytes
}

/** A source that gives at most `pieceOf()` bytes at a time. */
export function sourceOf(bytes: Uint8Array, pieceOf: () => number = () => Number.MAX_SAFE_INTEGER): DumpSource {
  let at = 0
  return {
    read(into) {
      const count = Math.min(into.length, bytes.length - at, pieceOf())
      into.set(bytes.subarray(at, at + count))
      at += count
      return count
    },
  }
}

/** The same as chunks. A chunk is overwritten once the next one is asked for, as a source with one buffer would do. */
export async function* chunksOf(bytes: Uint8Array, pieceOf: () => number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    const chunk = new Uint8Array(bytes.subarray(at, at + pieceOf()))
    at += chunk.length
    yield chunk
    chunk.fill(0xee)
  }
}
