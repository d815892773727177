/** Partitions as a cut operation leaves them, for tests that look at all of a case's cuts together. */
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import {
  type Contents,
  type CrashCaseName,
  contentsOf,
  copyPartition,
  makeCrashPartition,
  partitionIn,
  workOn,
} from "./crash-cases.ts"
import { atEveryCut, cutDisk } from "./cut-disk.ts"
import type { FixtureEncoding } from "./fixture.ts"
import { makeTemporaryDirectory } from "./temporary-directory.ts"

/** One cut of a case. */
export interface CutImage {
  readonly name: CrashCaseName
  readonly at: number
  /** The change that was not made any more. */
  readonly call: string
  readonly directory: string
}

export interface Outcomes {
  readonly before: Contents
  readonly after: Contents
}

/** The partition that all cases start from, and copies of it. */
export class CrashFolder {
  readonly #folder = makeTemporaryDirectory()
  readonly #outcomes = new Map<CrashCaseName, Promise<Outcomes>>()

  async prepare(encoding?: FixtureEncoding): Promise<void> {
    await makeCrashPartition(partitionIn(this.#folder), encoding)
  }

  /** Path of a copy that is made when `copy` is called. */
  path(...names: (string | number)[]): string {
    return partitionIn(join(this.#folder, names.join(" ")))
  }

  copy(...names: (string | number)[]): string {
    const target = this.path(...names)
    mkdirSync(join(target, ".."), { recursive: true })
    return copyPartition(partitionIn(this.#folder), target)
  }

  drop(...names: (string | number)[]): void {
    rmSync(join(this.path(...names), ".."), { recursive: true })
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** What the volumes are before a case's work, and after it has gone through. Worked out once. */
  outcomes(name: CrashCaseName): Promise<Outcomes> {
    const known = this.#outcomes.get(name) ?? this.#workThrough(name)
    this.#outcomes.set(name, known)
    return known
  }

  async #workThrough(name: CrashCaseName): Promise<Outcomes> {
    const directory = this.copy(name, "whole")
    const before = contentsOf(directory)
    await workOn(cutDisk(), directory, name)
    return { before, after: contentsOf(directory) }
  }

  /** Cuts a case at every (or every nth) change. `series` keeps the images apart from others of the case. */
  async images(name: CrashCaseName, every = 1, series = "cut"): Promise<CutImage[]> {
    const images: CutImage[] = []
    await atEveryCut(
      async (disk, at) => workOn(disk, this.copy(name, series, at), name),
      (at, call) => void images.push({ name, at, call, directory: this.path(name, series, at) }),
      { every },
    )
    return images
  }
}
