/** Does the work of a crash case on a partition and kills itself at the nth change: `DIRECTORY N CASE`. */
import { crashCases, isCrashCase, workOn } from "../support/crash-cases.ts"
import { cutDisk } from "../support/cut-disk.ts"

const [directory = "", at = "", name = ""] = process.argv.slice(2)
if (!isCrashCase(name)) throw new Error(`no case ${name}: ${Object.keys(crashCases).join(", ")}`)
await workOn(cutDisk({ at: Number(at), how: "kill" }), directory, name)
