/**
 * Changes that clients make to an attached volume, one each, on a partition with something to lose: for tests that cut them
 * off, or let the disk fail. Each names what its change may leave between old and new.
 */
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import type { Disk } from "../../common/disk/disk.ts"
import { openPartition } from "../../common/partition/partition.ts"
import { backupVolume } from "../../volserver/operations/backup.ts"
import { by, nameOf, newVnode, TestVolume, testCaches } from "./attached.ts"
import { copyPartition } from "./crash-cases.ts"
import type { Tree } from "./dump-builder.ts"
import type { FixtureEncoding } from "./fixture.ts"
import { readPartitionState } from "./partition-state.ts"
import { makeTemporaryDirectory } from "./temporary-directory.ts"
import { newPartition, standaloneContext, volumeOf } from "./volume-builder.ts"

export const servedId = 536_870_912
export const cloneId = servedId + 2
/** `alone`: no clone; `shared`: a clone has all files, so that each is copied before its first change. */
export const sharings = ["alone", "shared"] as const
export type Sharing = (typeof sharings)[number]

interface ServingCase {
  readonly work: (home: TestVolume) => void
  /** Old and new path of what is renamed: it is under one of them, or both. */
  readonly renamed?: readonly [string, string]
  /** A path whose content may be neither the old nor the new, where no clone shares the file. */
  readonly mixes?: string
}

/** Long enough that its pages are several and their chains go to and fro between them. */
const many: Tree = Object.fromEntries(
  Array.from({ length: 60 }, (_, index) => [`file number ${index} of many`, `content ${index}`]),
)
const tree: Tree = {
  one: "the first file\n",
  two: { size: 5000 },
  twin: { sameAs: "two" },
  sub: { folder: { deep: "deep\n", lower: { folder: { leaf: "leaf" } }, "no more": { folder: {} } } },
  other: { folder: { taken: "taken\n" } },
  many: { folder: many },
  empty: { folder: {} },
}

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(0x61)

export const servingCases = {
  "make a file": { work: (home) => void home.volume.createFile(home.root, nameOf("new"), newVnode()) },
  "make a file in a large directory": {
    work: (home) => void home.volume.createFile(home.at("many"), nameOf("a name that is new there"), newVnode()),
  },
  "make a file that takes a new page of its directory": {
    work: (home) => void home.volume.createFile(home.at("many"), nameOf("n".repeat(250)), newVnode()),
  },
  "make a directory": { work: (home) => void home.volume.makeDirectory(home.at("sub"), nameOf("new"), newVnode()) },
  "make a symbolic link": {
    work: (home) => void home.volume.makeSymlink(home.root, nameOf("new"), nameOf("sub/deep"), newVnode()),
  },
  "make a link": { work: (home) => home.volume.makeLink(home.root, nameOf("new"), home.at("one"), by) },
  "remove a file": { work: (home) => void home.volume.removeFile(home.root, nameOf("one"), by) },
  "remove a file from a large directory": {
    work: (home) => void home.volume.removeFile(home.at("many"), nameOf("file number 50 of many"), by),
  },
  "remove one of two names": { work: (home) => void home.volume.removeFile(home.root, nameOf("two"), by) },
  "remove a directory": { work: (home) => void home.volume.removeDirectory(home.root, nameOf("empty"), by) },
  "rename in a directory": {
    work: (home) => void home.volume.rename(home.root, nameOf("one"), home.root, nameOf("renamed"), by),
    renamed: ["/one", "/renamed"],
  },
  "rename in a large directory": {
    work: (home) =>
      void home.volume.rename(
        home.at("many"),
        nameOf("file number 7 of many"),
        home.at("many"),
        nameOf("n".repeat(250)),
        by,
      ),
    renamed: ["/many/file number 7 of many", `/many/${"n".repeat(250)}`],
  },
  "rename over another file": {
    work: (home) =>
      void home.volume.rename(
        home.at("many"),
        nameOf("file number 3 of many"),
        home.at("many"),
        nameOf("file number 55 of many"),
        by,
      ),
    renamed: ["/many/file number 3 of many", "/many/file number 55 of many"],
  },
  "rename over a file of another directory": {
    work: (home) => void home.volume.rename(home.root, nameOf("one"), home.at("other"), nameOf("taken"), by),
    renamed: ["/one", "/other/taken"],
  },
  "rename to another directory": {
    work: (home) =>
      void home.volume.rename(home.at("many"), nameOf("file number 40 of many"), home.at("sub"), nameOf("x"), by),
    renamed: ["/many/file number 40 of many", "/sub/x"],
  },
  "move a directory": {
    work: (home) => void home.volume.rename(home.at("sub"), nameOf("lower"), home.at("many"), nameOf("moved"), by),
    renamed: ["/sub/lower", "/many/moved"],
  },
  "move a directory over an empty one": {
    work: (home) => void home.volume.rename(home.at("sub"), nameOf("lower"), home.root, nameOf("empty"), by),
    renamed: ["/sub/lower", "/empty"],
  },
  "overwrite the beginning of a file": {
    work: (home) => home.store(home.at("two"), { length: 700, fileLength: 5000 }, bytes(700)),
    mixes: "/two /twin",
  },
  "append to a file": {
    work: (home) => home.store(home.at("two"), { position: 5000, length: 70_000, fileLength: 75_000 }, bytes(70_000)),
    mixes: "/two /twin",
  },
  "cut a file": {
    work: (home) => home.store(home.at("two"), { position: 0, length: 0, fileLength: 100 }),
    mixes: "/two /twin",
  },
  "change a status": { work: (home) => home.volume.setStatus(home.at("sub"), { mode: 0o700, now: by.now }) },
  "change an access list": {
    work: (home) => home.volume.setAccessList(home.at("sub"), home.volume.accessListOf(home.root), by.now),
  },
  "lock a file": { work: (home) => home.volume.setLock(home.at("one"), "write", by.now) },
} as const satisfies Readonly<Record<string, ServingCase>>
export type ServingCaseName = keyof typeof servingCases

export const servingCaseNames = Object.keys(servingCases).filter(
  (name): name is ServingCaseName => name in servingCases,
)

/** What is at each path of a volume, in words: what may not be lost. */
export type Found = ReadonlyMap<string, string>

export function foundIn(directory: string, volume: number): Found {
  const state = readPartitionState(directory).volumes.get(volume)
  return new Map(
    [...(state?.tree ?? [])].map(([path, { target }]) => {
      const isDirectory = target?.type === 2
      return [path, isDirectory ? "directory" : `${target?.type} ${target?.length} ${target?.content}`]
    }),
  )
}

/** A salvage gives a new file that has no name yet one of its own; a file that is being replaced may have a spare one. */
const spare = /^\/__ORPHAN|\/\.replaced\./

/** What was lost, or is neither old nor new, in words. */
export function losses(name: ServingCaseName, sharing: Sharing, before: Found, after: Found, found: Found): string[] {
  const { renamed, mixes = "" }: ServingCase = servingCases[name]
  const mayMix = new Set(sharing === "alone" ? mixes.split(" ") : [])
  const lost: string[] = []
  for (const [path, old] of before) {
    const now = found.get(path)
    if (mayMix.has(path) ? now !== undefined : now === old || (now !== undefined && now === after.get(path))) continue
    if (now === undefined && (!after.has(path) || hasSpareName(old, found))) continue
    lost.push(`${path} was ${old}, is ${now}`)
  }
  for (const [path, now] of found) {
    if (!before.has(path) && !after.has(path) && !spare.test(path)) lost.push(`${path} came from nowhere: ${now}`)
  }
  if (renamed !== undefined) lost.push(...lostInRename(renamed, before, found))
  return lost
}

/** What was to be replaced is there under a spare name. */
function hasSpareName(content: string, found: Found): boolean {
  return [...found].some(([path, now]) => now === content && /\/\.replaced\.[^/]*$/.test(path))
}

/** All that was below the old path is below it still, or below the new one, or both. */
function lostInRename([from, to]: readonly [string, string], before: Found, found: Found): string[] {
  const moved = [...before].filter(([path]) => path === from || path.startsWith(`${from}/`))
  return moved.flatMap(([path, old]) => {
    const there = `${to}${path.slice(from.length)}`
    return found.get(path) === old || found.get(there) === old ? [] : [`${path} is neither there nor at ${there}`]
  })
}

/**
 * Attaches the volume by way of a disk, does the work, and leaves it as a killed fileserver does: what was to be done after the
 * reply is the last that it did.
 */
export function serveOn(disk: Disk, directory: string, name: ServingCaseName): void {
  const home = new TestVolume(openPartition(directory, disk), servedId, testCaches({ later: () => {} }))
  try {
    servingCases[name].work(home)
  } finally {
    home.volume.close()
  }
}

/** The partitions that the cases start from, and copies of them. */
export class ServingFolder {
  readonly #folder = makeTemporaryDirectory()
  readonly #outcomes = new Map<string, { readonly before: Found; readonly after: Found }>()

  async prepare(encoding?: FixtureEncoding): Promise<void> {
    for (const sharing of sharings) {
      mkdirSync(join(this.#folder, sharing))
      const partition = newPartition(join(this.#folder, sharing, "vicepa"), encoding)
      await volumeOf(partition, "served", tree, { volume: servedId, quota: 0 })
      if (sharing === "shared") {
        await backupVolume(standaloneContext([partition]), { partition, id: servedId }, { id: cloneId })
      }
    }
  }

  copy(sharing: Sharing, ...names: readonly (string | number)[]): string {
    const folder = join(this.#folder, [sharing, ...names].join(" "))
    mkdirSync(folder)
    return copyPartition(join(this.#folder, sharing, "vicepa"), join(folder, "vicepa"))
  }

  drop(directory: string): void {
    rmSync(join(directory, ".."), { recursive: true })
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** What is there before a case's work, and after it has gone through. Worked out once. */
  outcomes(disk: Disk, sharing: Sharing, name: ServingCaseName): { readonly before: Found; readonly after: Found } {
    const known = this.#outcomes.get(`${sharing} ${name}`)
    if (known !== undefined) return known
    const directory = this.copy(sharing, name, "whole")
    const before = foundIn(directory, servedId)
    serveOn(disk, directory, name)
    const outcome = { before, after: foundIn(directory, servedId) }
    this.#outcomes.set(`${sharing} ${name}`, outcome)
    this.drop(directory)
    return outcome
  }
}
