/**
 * How long do dump and restore take, of one file of 500 MB (`large`) and of 20,000 files of 1 KiB (`small`)? The words say
 * which of the two is asked; without one, both are. The peer's figures are of whole commands, of which some 17 ms are the start.
 *
 * ext4 makes files many times slower for half a minute after many were removed, whoever removed them. So every restore makes a
 * volume of its own beside the others, and volumes of many files stay until the end. With DAFS_TMP=/dev/shm in memory, which
 * has no such moods.
 */
import { join } from "node:path"
import { openByteSink, openByteSource } from "../common/disk/node-disk.ts"
import { manyFiles, type Tree } from "../test/support/dump-builder.ts"
import { dumpVolume } from "../volserver/operations/dump.ts"
import { restoreVolume } from "../volserver/operations/restore.ts"
import { findVolume } from "../volserver/volume-list.ts"
import { type OurPlace, type VolumeCommands, withVolumeServers, writeDump } from "./filled-volumes.ts"
import { type Answer, inTemporaryDirectory, report, type Side, seconds } from "./measure.ts"
import { answerThreeWays } from "./three-ways.ts"

interface Contents {
  readonly what: string
  readonly tree: () => Tree
  /** Of ours to the peer's time. */
  readonly atMost: number
  readonly rounds: number
  /** Restored volumes stay until the end. */
  readonly areKept: boolean
}

const contents: ReadonlyMap<string, Contents> = new Map([
  [
    "large",
    {
      what: "one file of 500 MB",
      tree: () => ({ file: { size: 500_000_000 } }),
      atMost: 0.33,
      rounds: 2,
      areKept: false,
    },
  ],
  [
    "small",
    { what: "20,000 files of 1 KiB", tree: () => manyFiles(20_000, 1024), atMost: 0.4, rounds: 5, areKept: true },
  ],
])
/** A case comes to an end in some two minutes on the slowest disk. */
const secondsMax = 40
const unit = "s"

function chosen(): Contents[] {
  const words = process.argv.slice(2).filter((word) => !word.startsWith("--"))
  return (words.length === 0 ? [...contents.keys()] : words).map((word) => {
    const found = contents.get(word)
    if (found === undefined) throw new Error(`no case ${word}: there are ${[...contents.keys()].join(", ")}`)
    return found
  })
}

async function restoreHere({ context, partition }: OurPlace, path: string, name: string): Promise<void> {
  using source = openByteSource(path)
  await restoreVolume(context, { source, path, partition, name })
}

async function dumpHere({ context, partition }: OurPlace, name: string, path: string): Promise<void> {
  using sink = openByteSink(path)
  await dumpVolume(context, { place: findVolume([partition], name), from: 0, omitDirectories: false, sink })
  sink.finish()
}

let names = 0
const freshName = (): string => `v.${names++}`

/** A round of restoring into a new volume each time. */
function restoring(commands: VolumeCommands, { areKept }: Contents, restore: (name: string) => void | Promise<void>) {
  return async (): Promise<number> => {
    const name = freshName()
    const spent = await seconds(() => restore(name))
    if (!areKept) commands.remove(name)
    return spent
  }
}

interface Sides {
  readonly ours: VolumeCommands
  readonly peer: VolumeCommands | undefined
  readonly place: OurPlace
}

async function ask({ ours, peer, place }: Sides, asked: Contents, directory: string): Promise<Answer[]> {
  const { what, tree, atMost, rounds, areKept } = asked
  const dumped = freshName()
  const [source, target] = [join(directory, "source.dump"), join(directory, "target.dump")]
  const against = (round: (peer: VolumeCommands) => Side["round"]): Side | undefined =>
    peer && { name: peer.name, round: round(peer) }
  writeDump(source, tree())
  const common = { unit, goal: { atMost }, turns: { rounds, secondsMax } }
  const restored = await answerThreeWays({
    ...common,
    what: `restore ${what}`,
    operation: restoring(ours, asked, (name) => restoreHere(place, source, name)),
    command: restoring(ours, asked, (name) => ours.restore(name, source)),
    peer: against((theirs) => restoring(theirs, asked, (name) => theirs.restore(name, source))),
  })
  const both = peer === undefined ? [ours] : [ours, peer]
  for (const commands of both) commands.restore(dumped, source)
  const written = await answerThreeWays({
    ...common,
    what: `dump ${what}`,
    operation: () => seconds(() => dumpHere(place, dumped, target)),
    command: () => seconds(() => ours.dump(dumped, target)),
    peer: against((theirs) => () => seconds(() => theirs.dump(dumped, target))),
  })
  if (!areKept) for (const commands of both) commands.remove(dumped)
  return [...restored, ...written]
}

const cases = chosen()
await inTemporaryDirectory((directory) =>
  withVolumeServers(directory, async (ours, peer, place) => {
    const answers: Answer[] = []
    for (const asked of cases) answers.push(...(await ask({ ours, peer, place }, asked, directory)))
    report(answers)
  }),
)
