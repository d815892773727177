/**
 * How long do dump and restore take, of one file of 500 MB and of 20,000 files of 1 KiB? Ours as an operation of a running
 * process, as the volserver does it, and as a whole command, of which some 0.2 s are the start of Node.js and of our modules;
 * the peer's always as a whole command, of which some 17 ms are the start. With DAFS_TMP=/dev/shm in memory: ext4 creates
 * files many times slower for some seconds after many were removed, for both sides alike.
 */
import { join } from "node:path"
import { openByteSink, openByteSource } from "../common/disk/node-disk.ts"
import { manyFiles, type Tree } from "../test/support/dump-builder.ts"
import { dumpVolume } from "../volserver/operations/dump.ts"
import { restoreVolume } from "../volserver/operations/restore.ts"
import { findVolume } from "../volserver/volume-list.ts"
import { type OurPlace, type VolumeCommands, withVolumeServers, writeDump } from "./filled-volumes.ts"
import { type Answer, answer, inTemporaryDirectory, report, type Side } from "./measure.ts"

interface Contents {
  readonly what: string
  readonly tree: Tree
  /** Of ours to the peer's time. */
  readonly atMost: number
  readonly rounds: number
}

const contents: readonly Contents[] = [
  { what: "one file of 500 MB", tree: { file: { size: 500_000_000 } }, atMost: 0.33, rounds: 3 },
  { what: "20,000 files of 1 KiB", tree: manyFiles(20_000, 1024), atMost: 0.4, rounds: 5 },
]
const [restored, dumped] = ["v.restored", "v.dumped"]

type Work = () => void | Promise<void>

async function seconds(work: Work): Promise<number> {
  const begin = performance.now()
  await work()
  return (performance.now() - begin) / 1000
}

/** Restores anew each time. */
function restoring(name: string, commands: VolumeCommands, restore: Work): Side {
  return {
    name,
    async round() {
      const spent = await seconds(restore)
      commands.remove(restored)
      return spent
    },
  }
}

async function restoreHere({ context, partition }: OurPlace, path: string): Promise<void> {
  using source = openByteSource(path)
  await restoreVolume(context, { source, path, partition, name: restored })
}

async function dumpHere({ context, partition }: OurPlace, path: string): Promise<void> {
  using sink = openByteSink(path)
  await dumpVolume(context, { place: findVolume([partition], dumped), from: 0, omitDirectories: false, sink })
  sink.finish()
}

await inTemporaryDirectory((directory) =>
  withVolumeServers(directory, async (ours, peer, place) => {
    const [source, target] = [join(directory, "source.dump"), join(directory, "target.dump")]
    const answers: Answer[] = []
    for (const { what, tree, atMost, rounds } of contents) {
      const ask = async (question: string, mine: Side, theirs: Side | undefined, isJudged: boolean): Promise<void> => {
        const goal = isJudged ? { goal: { atMost } } : {}
        answers.push(
          await answer({ what: `${question} ${what}`, unit: "s", ours: mine, peer: theirs, rounds, ...goal }),
        )
      }
      writeDump(source, tree)
      const theirRestore = peer && restoring(peer.name, peer, () => peer.restore(restored, source))
      const [here, command] = ["operation", "command"]
      await ask(
        "restore",
        restoring(here, ours, () => restoreHere(place, source)),
        theirRestore,
        true,
      )
      await ask(
        "restore, whole command,",
        restoring(command, ours, () => ours.restore(restored, source)),
        theirRestore,
        false,
      )
      for (const commands of [ours, ...(peer === undefined ? [] : [peer])]) commands.restore(dumped, source)
      const theirDump = peer && { name: peer.name, round: () => seconds(() => peer.dump(dumped, target)) }
      await ask("dump", { name: here, round: () => seconds(() => dumpHere(place, target)) }, theirDump, true)
      await ask(
        "dump, whole command,",
        { name: command, round: () => seconds(() => ours.dump(dumped, target)) },
        theirDump,
        false,
      )
      for (const commands of [ours, ...(peer === undefined ? [] : [peer])]) commands.remove(dumped)
    }
    report(answers)
  }),
)
