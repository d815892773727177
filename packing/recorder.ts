/**
 * Starts a packed program while it is packed, without a code cache, and leaves at its end what V8 has compiled, functions that
 * only a run compiles among it.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { compile, run } from "./packed-code.ts"
import { partFor, runKinds } from "./run-kinds.ts"

/** Code to run, and what to leave beside it for which kind of run. The first run of a kind counts. */
export interface RecordedPart {
  readonly file: string
  readonly caches: Readonly<Record<string, string>>
}

/** By beginnings of command lines; "" for all others. */
export type Recording = Readonly<Record<string, RecordedPart>>

/** Put in when the recorder is made. */
declare const recording: Recording

function record({ file, caches }: RecordedPart): void {
  const path = join(__dirname, file)
  const script = compile(path, readFileSync(path, "latin1"), undefined)
  const kind = runKinds(process.execArgv, process.argv.slice(2)).find((name) => Object.hasOwn(caches, name))
  const cache = caches[kind ?? ""]
  process.once("exit", () => {
    const isNew = cache !== undefined && !existsSync(join(__dirname, cache))
    if (isNew) writeFileSync(join(__dirname, cache), script.createCachedData(), { mode: 0o644 })
  })
  run(script, require, __dirname)
}

const part = partFor(recording, process.argv.slice(2))
if (part !== undefined) record(part)
