/**
 * One of several programs that want the same volume: lock-race.program.js PARTITION LOG NAME ROUNDS. Each round it gets
 * the volume, writes "NAME in" and "NAME out" to the log in two writes, and lets go.
 */
import { appendFileSync } from "node:fs"
import { setImmediate as turn } from "node:timers/promises"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { isAfsError } from "../../common/error.ts"
import { lockVolume, type VolumeLock } from "../../common/lock/volume-lock.ts"

const [path = "", log = "", name = "", rounds = ""] = process.argv.slice(2)
const partition = { path, name: "/vicepa", disk: nodeDisk }

async function lockSometime(): Promise<VolumeLock> {
  for (;;) {
    try {
      return lockVolume(partition, 536_870_915, "write", `racer ${name}`)
    } catch (error) {
      if (!isAfsError(error, "LOCKED")) throw error
      await turn()
    }
  }
}

for (let round = 0; round < Number(rounds); round++) {
  {
    using _lock = await lockSometime()
    appendFileSync(log, `${name} in\n`)
    appendFileSync(log, `${name} out\n`)
  }
  await turn()
}
