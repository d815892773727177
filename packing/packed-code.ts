/**
 * How packed code comes to run. It is one function of a script of its own, so that V8 can take what it compiled at an earlier time, a
 * code cache, instead of compiling again. Node.js offers no such thing for modules before version 22.
 */
import { createRequire } from "node:module"
import { dirname } from "node:path"
import { pathToFileURL } from "node:url"
import { Script } from "node:vm"

/** What stands before and after the code in its file: what the code is given. */
export const wrapper = { before: "(function (require, buildUrl) {", after: "})" } as const

type Wrapped = (require: NodeJS.Require, buildUrl: string) => void

/** Compiles; with a cache that V8 does not take (of another version, or with other switches) as without. */
export const compile = (path: string, source: string, cachedData: Buffer | undefined): Script =>
  new Script(source, { filename: path, ...(cachedData !== undefined && { cachedData }) })

/** Runs compiled code that lies in a folder of the build folder, to which its modules' addresses are relative. */
export function run(script: Script, path: string): void {
  const wrapped = script.runInThisContext() as Wrapped // by `wrapper`
  wrapped(createRequire(path), new URL("./", pathToFileURL(dirname(path))).href)
}
