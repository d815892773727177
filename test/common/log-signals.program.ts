/** A daemon that does nothing but log: `log-signals.program.js FILE`. Ends with SIGTERM. */
import { untilStopped } from "../../common/cli/stopping.ts"
import { openLog } from "../../common/log.ts"
import { reportOnRequest } from "../../common/log-signals.ts"

const log = openLog("daemon", { file: process.argv[2], isDaemon: true })
const alive = setInterval(() => {}, 1000)
const stopped = untilStopped()
using _report = reportOnRequest(log, () => ({ volumes: 7 }))
process.stdout.write("ready\n")
await stopped
clearInterval(alive)
