/**
 * Starts a packed program while it is packed, without a code cache, and leaves at its end what V8 has compiled, functions that
 * only a run compiles among it.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { compile, run } from "./packed-code.ts"
import { runKinds } from "./run-kinds.ts"

export interface Recording {
  /** File of the code, beside the recorder. */
  readonly code: string
  /** Kinds of runs to record, and the files to leave beside the recorder. The first run of a kind counts. */
  readonly files: Readonly<Record<string, string>>
}

/** Put in when the recorder is made. */
declare const recording: Recording

const code = join(__dirname, recording.code)
const script = compile(code, readFileSync(code, "latin1"), undefined)
const kind = runKinds(process.execArgv, process.argv.slice(2)).find((name) => Object.hasOwn(recording.files, name))
const file = join(__dirname, recording.files[kind ?? ""] ?? "")
if (file !== __dirname)
  process.once("exit", () => {
    if (!existsSync(file)) writeFileSync(file, script.createCachedData(), { mode: 0o644 })
  })
run(script, code)
