/** `dafs vos listvol`: the volumes of partitions. */
import { listHeaderNames } from "../../common/partition/partition.ts"
import type { VolserverContext } from "../context.ts"
import { listVolumeStatus, type VolumeStatus } from "../operations/examine.ts"
import { flag } from "./option.ts"
import { longLines, shortLine } from "./volume-lines.ts"
import { vosCommand } from "./vos-command.ts"

interface PartitionList {
  readonly partition: string
  readonly path: string
  readonly ids: readonly number[]
  /** Absent with --fast. */
  readonly volumes?: readonly VolumeStatus[]
}

async function list(context: VolserverContext, fast: boolean): Promise<PartitionList[]> {
  const lists: PartitionList[] = []
  for (const partition of context.partitions) {
    const ids = listHeaderNames(partition).map(({ volume }) => volume)
    const { name, path } = partition
    const rest = fast ? {} : { volumes: byName(await listVolumeStatus(context, partition)) }
    lists.push({ partition: name, path, ids, ...rest })
  }
  return lists
}

const byName = (volumes: VolumeStatus[]): VolumeStatus[] =>
  volumes.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id - b.id))

function lines({ path, ids, volumes }: PartitionList, show: (volume: VolumeStatus) => string): string {
  const head = `Total number of volumes on partition ${path}: ${ids.length} \n`
  if (volumes === undefined) return `${head}${ids.map((id) => `${id}\n`).join("")}\n`
  const count = (...wanted: string[]): number => volumes.filter(({ condition }) => wanted.includes(condition)).length
  const totals = [
    `Total volumes onLine ${count("online")}`,
    `Total volumes offLine ${count("offline", "unfinished", "unreadable")}`,
    `Total busy ${count("busy")}`,
  ]
  return `${head}${volumes.map(show).join("")}\n${totals.join(" ; ")}\n\n`
}

export const command = vosCommand({
  usage: "listvol",
  describe: "List the volumes of partitions",
  options: {
    fast: flag("only ids"),
    long: flag("with all fields"),
    extended: flag("with all fields and statistics of use"),
  },
  examples: [["vos listvol --partition /vicepa", "name, id, type, size, state"]],
  run: (context, { fast }) => list(context, fast),
  print: (lists, { long, extended }) =>
    lists
      .map((one) => lines(one, (volume) => (long || extended ? longLines(volume, extended) : shortLine(volume))))
      .join(""),
})
