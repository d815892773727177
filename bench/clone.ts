/**
 * How long does the backup clone of a volume of 20,000 files take, when it is first made, and again when nothing has
 * changed? The peer's `vos backup` includes the start of the command, some 17 ms.
 */
import { join } from "node:path"
import { manyFiles } from "../test/support/dump-builder.ts"
import { backupVolume } from "../volserver/operations/backup.ts"
import { findVolume } from "../volserver/volume-list.ts"
import { type VolumeCommands, withVolumeServers, writeDump } from "./filled-volumes.ts"
import { type Answer, inTemporaryDirectory, report, type Side, seconds } from "./measure.ts"
import { answerThreeWays } from "./three-ways.ts"

const name = "v.many"
const common = { unit: "ms", goal: { atMost: 0.4 }, turns: { rounds: 7 } }

/** A round makes the backup anew, after removing it where `first` is asked for. */
function backingUp(commands: VolumeCommands, first: boolean, backup: () => void | Promise<void>): Side["round"] {
  return async () => {
    if (first) commands.remove(`${name}.backup`)
    return 1000 * (await seconds(backup))
  }
}

await inTemporaryDirectory((directory) =>
  withVolumeServers(directory, async (ours, peer, { context, partition }) => {
    const dump = join(directory, "source.dump")
    writeDump(dump, manyFiles(20_000, 1024))
    for (const commands of peer === undefined ? [ours] : [ours, peer]) {
      commands.restore(name, dump)
      commands.backup(name)
    }
    const operation = async (): Promise<void> => {
      await backupVolume(context, findVolume([partition], name))
    }
    const answers: Answer[] = []
    for (const first of [true, false]) {
      const ways = {
        ...common,
        what: first ? "clone of 20,000 files" : "clone again, nothing changed",
        operation: backingUp(ours, first, operation),
        command: backingUp(ours, first, () => ours.backup(name)),
        peer: peer && { name: peer.name, round: backingUp(peer, first, () => peer.backup(name)) },
      }
      answers.push(...(await answerThreeWays(ways)))
    }
    report(answers)
  }),
)
