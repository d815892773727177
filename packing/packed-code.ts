/**
 * How packed code comes to run. It is one function of a script of its own, so that V8 can take what it compiled at an earlier time, a
 * code cache, instead of compiling again. Node.js offers no such thing for modules before version 22.
 */
import { Script } from "node:vm"

/** What stands before and after the code in its file: what the code is given. */
export const wrapper = { before: "(function (require, packedFolder) {", after: "})" } as const

type Wrapped = (require: NodeJS.Require, packedFolder: string) => void

/** Compiles; with a cache that V8 does not take (of another version, or with other switches) as without. */
export const compile = (path: string, source: string, cachedData: Buffer | undefined): Script =>
  new Script(source, { filename: path, ...(cachedData !== undefined && { cachedData }) })

/** Runs compiled code; `require` and folder are the starter's, beside which it lies. */
export function run(script: Script, requireBeside: NodeJS.Require, packedFolder: string): void {
  const wrapped = script.runInThisContext() as Wrapped // by `wrapper`
  wrapped(requireBeside, packedFolder)
}
