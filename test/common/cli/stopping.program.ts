/** A daemon that does nothing: prints when it is ready and why it stops. `stubborn`: it does not stop. */
import { announceReady, untilStopped } from "../../../common/cli/stopping.ts"

const alive = setInterval(() => {}, 1000)
const stopped = untilStopped()
announceReady()
process.stdout.write("ready\n")
process.stdout.write(`stopping: ${await stopped}\n`)
if (process.argv[2] !== "stubborn") clearInterval(alive)
