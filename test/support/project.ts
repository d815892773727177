/** Where the project is: its sources and, of the several build folders there may be, the one this code runs from. */
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"

function folderWith(name: string, start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, name))) return folder
    if (folder === dirname(folder)) throw new Error(`no ${name} above ${start}`)
  }
}

/** The compiled tree: holds cli/, common/, test/ and so on as JavaScript. */
export const buildDirectory = join(import.meta.dirname, "..", "..")

/** The checkout: holds package.json, test/fixtures/ and test/openafs/. */
export const projectDirectory = folderWith("package.json", buildDirectory)

/** A file of the checkout. */
export const projectFile = (...names: string[]): string => join(projectDirectory, ...names)

/** A compiled program, named by its source: `builtProgram("cli/dafs.ts")`. */
export const builtProgram = (source: string): string => join(buildDirectory, source.replace(/\.ts$/, ".js"))
