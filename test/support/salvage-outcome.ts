/**
 * What a salvager made of a damaged partition, against what dasalvager made of the same: which of the base partition's
 * files and links kept their place, moved (to an orphan's name) or were lost.
 */

import { rmSync } from "node:fs"
import { damagedFixture, possibleEncoding, type SalvageMode, type SalvageRun, unpackFixture } from "./fixture.ts"
import { kindOf } from "./oracle/structures.ts"
import { type PartitionState, readPartitionState, type VolumeState } from "./partition-state.ts"
import { makeTemporaryDirectory } from "./temporary-directory.ts"

/** What became of a content, worst first. */
export type Fate = "lost" | "moved" | "kept"

const rank: Record<Fate, number> = { lost: 0, moved: 1, kept: 2 }

/** One file or link of the base partition. */
export interface Content {
  readonly volume: number
  readonly path: string
}

/** A content whose fate differs between the two salvagers. */
export interface Difference extends Content {
  readonly theirs: Fate
  readonly ours: Fate
}

export interface SalvageComparison {
  /** Contents that dasalvager kept better than we did. */
  readonly worse: readonly Difference[]
  /** Contents that we kept better. */
  readonly better: readonly Difference[]
  /** Inconsistencies that are left. */
  readonly problems: readonly string[]
}

let baseState: PartitionState | undefined

/** The state of the undamaged partition that the damaged ones start from. */
export function undamagedState(): PartitionState {
  baseState ??= readBase()
  return baseState
}

function readBase(): PartitionState {
  const directory = makeTemporaryDirectory()
  try {
    unpackFixture("base", directory, { encoding: possibleEncoding })
    return readPartitionState(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function* contentsOf(volume: VolumeState): Generator<{ path: string; content: string }> {
  for (const [path, { target }] of volume.tree) {
    const isContent = target !== undefined && ["file", "link"].includes(kindOf(target.type) ?? "")
    if (isContent) yield { path, content: target.content ?? "missing" }
  }
}

const keyOf = (volume: number, path: string): string => `${volume} ${path}`

/** What was recorded of one kind of run of dasalvager on a damaged fixture. */
export function recordedRun(name: string, mode: SalvageMode): SalvageRun {
  const { runs } = damagedFixture(name)
  let run = runs[mode]
  while (run.stateSameAs !== undefined) run = runs[run.stateSameAs as SalvageMode]
  return run
}

/** Fates that differ from `kept` in a run of dasalvager. */
function theirFates(name: string, mode: SalvageMode): (content: Content) => Fate {
  const run = recordedRun(name, mode)
  const gone = new Set((run.volumesLost ?? []).map((one) => one.volume))
  const fates = new Map(
    (run.contentLost ?? []).map((one) => [
      keyOf(one.volume, one.path),
      one.nowAt === undefined ? ("lost" as const) : ("moved" as const),
    ]),
  )
  return ({ volume, path }) => (gone.has(volume) ? "lost" : (fates.get(keyOf(volume, path)) ?? "kept"))
}

function isUsable(volume: VolumeState | undefined): volume is VolumeState {
  return volume?.header !== undefined && volume.header.id === volume.id
}

function ourFates(base: VolumeState, found: VolumeState | undefined): (path: string, content: string) => Fate {
  if (!isUsable(found)) return () => "lost"
  const now = new Map([...contentsOf(found)].map(({ path, content }) => [path, content]))
  const moved = new Set([...now].filter(([path]) => !base.tree.has(path)).map(([, content]) => content))
  return (path, content) => (now.get(path) === content ? "kept" : moved.has(content) ? "moved" : "lost")
}

/**
 * Compares the partition in `directory`, the damaged fixture `name` after our salvager ran on it, with what dasalvager
 * made of it in the given kind of run.
 */
export function compareSalvage(name: string, directory: string, mode: SalvageMode = "force"): SalvageComparison {
  const state = readPartitionState(directory)
  const fateThere = theirFates(name, mode)
  const differences: Difference[] = []
  for (const volume of undamagedState().volumes.values()) {
    const fateHere = ourFates(volume, state.volumes.get(volume.id))
    for (const { path, content } of contentsOf(volume)) {
      const [theirs, ours] = [fateThere({ volume: volume.id, path }), fateHere(path, content)]
      if (theirs !== ours) differences.push({ volume: volume.id, path, theirs, ours })
    }
  }
  return {
    worse: differences.filter(({ theirs, ours }) => rank[ours] < rank[theirs]),
    better: differences.filter(({ theirs, ours }) => rank[ours] > rank[theirs]),
    problems: state.problems,
  }
}
