/**
 * Loaded before a program (`node --import`): tells at its end, in a last line on standard error, the packed code that it ran and
 * whether V8 took a code cache for it.
 */
import vm from "node:vm"

/** One script that was compiled. */
export interface ReportedScript {
  readonly file: string
  /** False if none was given. */
  readonly hadCache: boolean
  readonly isRejected: boolean
}

const scripts: ReportedScript[] = []
const { Script } = vm

vm.Script = class extends Script {
  constructor(code: string, options: vm.ScriptOptions = {}) {
    super(code, options)
    const { filename = "", cachedData } = options
    scripts.push({ file: filename, hadCache: cachedData !== undefined, isRejected: this.cachedDataRejected === true })
  }
}
process.on("exit", () => process.stderr.write(`${JSON.stringify(scripts)}\n`))
