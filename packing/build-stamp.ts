/** By what a build is known: packed programs are used with the build that they were packed from, and with no other. */
import { statSync } from "node:fs"
import { join } from "node:path"

/** A file of the build. Undefined: there is none. */
export interface Stamp {
  /** Relative to the build folder. */
  readonly path: string
  readonly size: number | undefined
  /** Modification time, whole seconds: archives keep no more of it. */
  readonly modified: number | undefined
}

/** Files that every compilation, or every one that changes something, writes anew. */
const stamped = ["tsconfig.tsbuildinfo", "cli/dafs.js"]

function stampOf(buildFolder: string, path: string): Stamp {
  const found = statSync(join(buildFolder, path), { throwIfNoEntry: false })
  return { path, size: found?.size, modified: found && Math.floor(found.mtimeMs / 1000) }
}

export const stampsOf = (buildFolder: string): Stamp[] => stamped.map((path) => stampOf(buildFolder, path))

export const isStill = (buildFolder: string, stamps: readonly Stamp[]): boolean =>
  stamps.every(({ path, size, modified }) => {
    const now = stampOf(buildFolder, path)
    return now.size === size && now.modified === modified
  })
