/** One partition, served in turn by our fileserver and by dafileserver. */
import { setTimeout as delay } from "node:timers/promises"
import type { ExecutionContext } from "ava"
import { openPartition, type Partition } from "../../common/partition/partition.ts"
import { createVolume } from "../../volserver/operations/create.ts"
import { accessOverRx } from "../support/afs-access.ts"
import { type Cell, startCell } from "../support/cell.ts"
import { startFileserver } from "../support/fileserver-process.ts"
import { needsCell } from "../support/requirements.ts"
import { infoOnDisk } from "../support/served-volumes.ts"
import { standaloneContext } from "../support/volume-builder.ts"

const ids = [536_870_912, 536_870_915, 536_870_918] as const

async function cellWithVolumes(t: ExecutionContext): Promise<{ cell: Cell; partition: Partition }> {
  const cell = await startCell(t, "vl", "pt", "sal")
  const partition = openPartition(cell.partition("a"))
  for (const id of ids) await createVolume(standaloneContext([partition]), { partition, name: `v${id}`, id })
  return { cell, partition }
}

const inUse = (partition: Partition): number[] => ids.map((id) => infoOnDisk(partition, id).inUse)
const needsSalvaged = (partition: Partition): number[] => ids.map((id) => infoOnDisk(partition, id).needsSalvaged)

/** A server that has just started answers "busy" to its first calls. */
async function servedByOpenafs(cell: Cell): Promise<number[]> {
  for (let tries = 0; ; tries++) {
    const codes = await accessOverRx(cell, ids)
    if (tries >= 40 || !codes.includes(110)) return codes
    await delay(250)
  }
}

needsCell(
  "volumes that our fileserver served and detached are served by dafileserver without a salvage, and the reverse",
  async (t) => {
    const { cell, partition } = await cellWithVolumes(t)
    const ours = await startFileserver(t, [partition])
    for (const id of ids) t.is(await ours.access(id), "ok")
    t.deepEqual(inUse(partition), [1, 1, 1])
    await ours.stop()
    t.deepEqual(inUse(partition), [0, 0, 0])

    await cell.start("fs")
    t.deepEqual(await servedByOpenafs(cell), [0, 0, 0])
    t.deepEqual(inUse(partition), [1, 1, 1])
    await cell.stop("fs")
    t.deepEqual(inUse(partition), [0, 0, 0])
    t.deepEqual(needsSalvaged(partition), [0, 0, 0])

    await ours.start()
    for (const id of ids) t.is(await ours.access(id), "ok", "without a salvage")
    await ours.stop()
  },
)

needsCell(
  "volumes that a killed server left in use, ours or dafileserver, are not served by the other before a salvage",
  async (t) => {
    const { cell, partition } = await cellWithVolumes(t)
    const ours = await startFileserver(t, [partition])
    t.is(await ours.access(ids[0]), "ok")
    await ours.kill()
    await cell.start("fs")
    t.deepEqual(await servedByOpenafs(cell), [0, 0, 0], "its salvageserver has repaired the one that was in use")
    t.regex(await cell.exec("cat", "/var/log/openafs/SalsrvLog"), new RegExp(`${ids[0]}`))
    await cell.kill("fs")
    t.deepEqual(inUse(partition), [1, 1, 1])
    await ours.start()
    t.is(await ours.access(ids[1]), "VBUSY")
    t.is(infoOnDisk(partition, ids[1]).needsSalvaged, 1)
  },
)
