/** Logs a thousand lines to standard error and ends at once. */
import { openLog } from "../../common/log.ts"

const log = openLog("short-lived")
for (let line = 0; line < 1000; line++) log.info({ line }, "one of many")
