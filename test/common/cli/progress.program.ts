/** Reports progress as a command does: `UNIT TOTAL`, no total for "none". */
import { isWatched, openProgressBar } from "../../../common/cli/progress.ts"

const [unit = "", total = ""] = process.argv.slice(2)
const bar = openProgressBar("dump")
process.stdout.write(`watched ${isWatched()} bar ${bar !== undefined}\n`)
const shown = { unit, total: total === "none" ? undefined : Number(total) }
for (const done of [0, 512, 2048]) bar?.report({ ...shown, done })
bar?.stop()
