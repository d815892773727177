/**
 * How many volume queries a second does a fileserver answer over FSSYNC: asked one at a time, and with many under way on one
 * connection? Against dafileserver with the same kind of client, where there is root and OpenAFS; its protocol has one
 * request at a time. Both servers are processes of their own and have the volume registered, not attached.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { createPartition } from "../common/partition/partition.ts"
import { requireOk } from "../fssync/answer-meaning.ts"
import { FssyncClient } from "../fssync/fssync-client.ts"
import { impatientRule } from "../fssync/retry-rule.ts"
import { startFileserver } from "./fileserver-process.ts"
import { answer, inTemporaryDirectory, type Question, report, type Side } from "./measure.ts"
import { OpenafsFssync } from "./openafs-fssync.ts"
import { canHaveCell, type PeerCell, startPeerCell } from "./peer-cell.ts"

const volume = 536_870_912
const partition = "/vicepa"
const roundMs = 400
const rounds = 15
const depths = [32, 64, 100] as const

type Ask = () => Promise<{ readonly attach_state: number } | undefined>

/** Answers per second with so many requests always under way. */
async function rate(ask: Ask, depth: number): Promise<number> {
  const begin = performance.now()
  let count = 0
  const worker = async (): Promise<void> => {
    while (performance.now() - begin < roundMs) {
      if ((await ask())?.attach_state === undefined) throw new Error("an answer without a volume")
      count++
    }
  }
  await Promise.all(Array.from({ length: depth }, worker))
  return (count / (performance.now() - begin)) * 1000
}

function questionsOf(ours: FssyncClient, theirs: OpenafsFssync | undefined): Question[] {
  const unit = "queries/s"
  const ask: Ask = async () => (await ours.queryVolume(volume, partition)).payload
  const peer: Side | undefined = theirs && {
    name: "dafileserver, one at a time",
    round: () => rate(() => theirs.queryVolume(volume, partition), 1),
  }
  const side = (depth: number): Side => ({ name: "dafs fileserver", round: () => rate(ask, depth) })
  return [
    { what: "VOL_QUERY, one at a time", unit, ours: side(1), peer, goal: { atLeast: 1 }, rounds },
    ...depths.map(
      (depth): Question => ({
        what: `VOL_QUERY, ${depth} under way`,
        unit,
        ours: side(depth),
        peer,
        goal: { atLeast: 3 },
        rounds,
      }),
    ),
  ]
}

function peerCell(directory: string): PeerCell | undefined {
  if (!canHaveCell()) {
    process.stderr.write("no figures of dafileserver: they need root and OpenAFS's programs\n")
    return undefined
  }
  mkdirSync(directory)
  return startPeerCell(directory, "vl", "pt", "sal", "fs")
}

await inTemporaryDirectory(async (directory) => {
  const place = createPartition(join(directory, "vicepa"), { development: true }).path
  using cell = peerCell(join(directory, "cell"))
  await using server = await startFileserver(place, directory)
  await using ours = new FssyncClient({ path: server.socket, programType: "debugUtility", rule: impatientRule })
  requireOk(await ours.volumeOn(volume, partition), "register the volume")
  using theirs = cell && (await OpenafsFssync.open(cell.fssyncSocket))
  await theirs?.volumeOn(volume, partition)
  const answers = []
  for (const question of questionsOf(ours, theirs)) answers.push(await answer(question))
  report(answers)
})
