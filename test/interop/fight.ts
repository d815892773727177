/**
 * OpenAFS's volserver and our salvagers want the same 20 volumes at the same time, and one or the other is killed now and
 * then, at our fileserver. Seconds in each run, ten minutes with DAFS_LARGE=1. Nobody hangs, who is refused is told why,
 * and in the end both salvagers find nothing.
 */
import { setTimeout as delay } from "node:timers/promises"
import type { ExecutionContext } from "ava"
import { type Cell, cellAddress, startCell } from "../support/cell.ts"
import { runDasalvager } from "../support/dasalvager.ts"
import { builtProgram } from "../support/project.ts"
import { type Random, seededRandom } from "../support/random.ts"
import { needsCell, needsCellAndPatience } from "../support/requirements.ts"
import { salvageHere } from "../support/salvage-here.ts"
import type { Finished } from "../support/spawned.ts"

const volumeCount = 20
const fightMs = needsCellAndPatience.met ? 600_000 : 12_000
/** Longer than any of them may take: OpenAFS's volserver waits 3 seconds at a time for a salvage. */
const patienceSeconds = 150
const dafs = builtProgram("cli/dafs.ts")
const state = "/var/lib/openafs/local"

const until = (cell: Cell, condition: string): Promise<string> =>
  cell.exec(
    "bash",
    "-c",
    `end=$((SECONDS+30)); until ${condition}; do [ $SECONDS -lt $end ] || exit 1; sleep 0.05; done`,
  )

async function startOurs(cell: Cell): Promise<void> {
  await cell.exec("bash", "-c", `rm -f ${state}/*.sock`)
  await cell.run("sal", process.execPath, dafs, "salvageserver")
  await cell.run("fs", process.execPath, dafs, "fileserver", "--openafs", "--port", "7000")
  for (const socket of ["salvsync", "fssync"]) await until(cell, `[ -S ${state}/${socket}.sock ]`)
}

/** A program of the fight: its words, and what it may say when it is refused. */
interface Fighter {
  readonly words: (volume: number) => readonly string[]
  readonly refusals: RegExp
}

const salvager: Fighter = {
  words: (volume) => [process.execPath, dafs, "salvager", "--partition", "/vicepa", "--volumeid", `${volume}`],
  // who has it; or that it let go in the same moment
  refusals: /held by .*pid \d+|EXCLUSIVE/,
}
const dumper: Fighter = {
  words: (volume) => ["vos", "dump", `${volume}`, "-file", "/dev/null", "-noauth"],
  refusals: /./,
}
const cloner: Fighter = { words: (volume) => ["vos", "backup", `${volume}`, "-noauth"], refusals: /./ }

interface Score {
  done: number
  refused: number
  killed: number
  readonly mute: string[]
}

async function fight(
  cell: Cell,
  { words, refusals }: Fighter,
  volumes: readonly number[],
  random: Random,
  end: number,
  score: Score,
) {
  while (Date.now() < end) {
    const [program = "", ...args] = words(random.pick(volumes))
    const { status, signal, stdout, stderr }: Finished = await cell.try("timeout", [
      `${patienceSeconds}`,
      program,
      ...args,
    ])
    const said = stdout + stderr
    if (status === 0) score.done++
    else if (signal !== null || status === 137) score.killed++
    else if (status !== 124 && refusals.test(said)) score.refused++
    else score.mute.push(`${args.join(" ")}: status ${status}: ${said}`)
  }
}

/** Prints the pids of programs of this cell, whose command line matches; those of other cells are in other namespaces. */
const pidsOf = (pattern: string): string =>
  `for p in $(pgrep -f '${pattern}'); do [ "$(readlink /proc/$p/ns/mnt)" = "$(readlink /proc/self/ns/mnt)" ] && echo $p; done`

/** Time for a vos, whose volserver was killed, to find out by itself. */
const vosGraceSeconds = 3

/**
 * Kills the volserver of this cell and starts it again. A vos that waited for the answer to a call never gets one, and
 * OpenAFS's vos dump waits ten minutes for it (the dead time it sets for its connections): it is killed too.
 */
async function killVolserver(cell: Cell): Promise<void> {
  const waiting = await cell.exec("bash", "-c", `${pidsOf("^vos ")}; true`)
  await cell.kill("vol")
  await cell.start("vol")
  const pids = waiting.trim().replaceAll("\n", " ")
  if (pids === "") return
  await cell.exec(
    "bash",
    "-c",
    `sleep ${vosGraceSeconds}; for p in ${pids}; do [ "$(cat /proc/$p/comm 2>&1)" = vos ] && kill -KILL $p; done; true`,
  )
}

/** Kills a salvager or the volserver, now and then. */
async function kill(cell: Cell, random: Random, end: number): Promise<void> {
  while (Date.now() < end) {
    await delay(200 + random.below(1500))
    if (random.below(3) === 0) await killVolserver(cell)
    else
      await cell.exec(
        "bash",
        "-c",
        `p=$(${pidsOf("^[^ ]*node .*dafs[.]c?js [s]alvager ")} | head -1); [ -z "$p" ] || kill -KILL $p; true`,
      )
  }
}

async function requireSound(t: ExecutionContext, cell: Cell): Promise<void> {
  // what the last kill left
  await cell.exec(process.execPath, dafs, "salvager", "--partition", "/vicepa", "--force", "--offline")
  const { findings, salvaged } = await runDasalvager(t, cell.partition("a"))
  t.deepEqual(findings, [])
  t.is(salvaged.length, volumeCount, "no volume was lost")
  for (const { counts } of await salvageHere(cell.partition("a"))) t.deepEqual([counts.loss, counts.left], [0, 0])
}

needsCell(
  "a stock volserver and our salvagers fight for 20 volumes while one or the other is killed: nobody hangs, nothing is lost",
  async (t) => {
    const random = seededRandom(t)
    const cell = await startCell(t, "vl", "pt", "sal", "fs", "vol")
    t.timeout(fightMs + 400_000)
    await cell.stop("vol", "fs", "sal")
    await startOurs(cell)
    await cell.start("vol")
    for (let index = 0; index < volumeCount; index++) await cell.vos("create", cellAddress, "a", `v${index}`, "-noauth")
    const first = await cell.volumeId("v0")
    const volumes =
      (await cell.vos("listvol", cellAddress, "a", "-fast", "-noauth")).match(/\b\d{9,}\b/g)?.map(Number) ?? []
    t.is(volumes.length, volumeCount)
    t.true(volumes.includes(first))
    const end = Date.now() + fightMs
    const score: Score = { done: 0, refused: 0, killed: 0, mute: [] }
    await Promise.all([
      ...[salvager, salvager, dumper, cloner].map((fighter) => fight(cell, fighter, volumes, random, end, score)),
      kill(cell, random, end),
    ])
    t.log(`${score.done} done, ${score.refused} refused, ${score.killed} killed`)
    t.deepEqual(score.mute, [], "every refusal says why, and nobody hangs")
    t.true(score.done > 5)
    await cell.stop("vol", "fs", "sal")
    await requireSound(t, cell)
  },
)
