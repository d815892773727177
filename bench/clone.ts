/**
 * How long does the backup clone of a volume of 20,000 files take, when it is first made, and again when nothing has
 * changed? Ours as an operation of a running process, as the volserver does it, and as a whole command, of which the start
 * of Node.js is the larger part; the peer's always as a whole `vos backup`, of which the command is some 17 ms.
 */
import { join } from "node:path"
import { manyFiles } from "../test/support/dump-builder.ts"
import { backupVolume } from "../volserver/operations/backup.ts"
import { findVolume } from "../volserver/volume-list.ts"
import { type VolumeCommands, withVolumeServers, writeDump } from "./filled-volumes.ts"
import { answer, inTemporaryDirectory, report, type Side } from "./measure.ts"

const name = "v.many"
const goal = { atMost: 0.4 }
const unit = "ms"

type Work = () => void | Promise<void>

async function milliseconds(work: Work): Promise<number> {
  const begin = performance.now()
  await work()
  return performance.now() - begin
}

/** A round makes the backup anew, after removing it where `first` is asked for. */
function side(commands: VolumeCommands, what: string, first: boolean, backup: Work): Side {
  return {
    name: what,
    async round() {
      if (first) commands.remove(`${name}.backup`)
      return await milliseconds(backup)
    },
  }
}

await inTemporaryDirectory((directory) =>
  withVolumeServers(directory, async (ours, peer, place) => {
    const dump = join(directory, "source.dump")
    writeDump(dump, manyFiles(20_000, 1024))
    const operation: Work = async () => {
      await backupVolume(place.context, findVolume([place.partition], name))
    }
    for (const commands of [ours, ...(peer === undefined ? [] : [peer])]) {
      commands.restore(name, dump)
      commands.backup(name)
    }
    const answers = []
    for (const first of [true, false]) {
      const what = first ? "clone of 20,000 files" : "clone again, nothing changed"
      const theirs = peer && side(peer, peer.name, first, () => peer.backup(name))
      const byOperation = side(ours, "operation", first, operation)
      const byCommand = side(ours, "command", first, () => ours.backup(name))
      answers.push(await answer({ what: `${what}: operation`, unit, ours: byOperation, peer: theirs, goal }))
      answers.push(await answer({ what: `${what}: whole command`, unit, ours: byCommand, peer: theirs }))
    }
    report(answers)
  }),
)
