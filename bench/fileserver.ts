/**
 * How fast are files served? Our fileserver and dafileserver side by side in one cell, each on a partition of its own on the
 * same file system, under the same client made of OpenAFS's library (load-client.c), in turns. Then both again with jumbograms on.
 * Each question is asked some times before it counts: a server runs for weeks, and Node.js compiles what runs often.
 * `--only WORD` asks only questions with that word in them.
 */
import { join } from "node:path"
import { startFileserver } from "./fileserver-process.ts"
import { buildLoadClient, type LoadClient, loadClientAbsence, startLoadClient } from "./load-client.ts"
import { type Answer, answer, type Goal, inTemporaryDirectory, report, type Side } from "./measure.ts"
import { canHaveCell, type PeerCell, startPeerCell } from "./peer-cell.ts"
import { costAnswer, ServerCost } from "./processor-time.ts"
import { anonymousMib, residentMib } from "./resident-memory.ts"
import { makeTwinVolumes } from "./twin-volumes.ts"

const ourPort = 7100
const peerPort = 7000
const large = 16 << 20
const small = 4 << 20
const names = 10_000
/** All names five times: once takes 30 ms, too short for a round. */
const bulkNames = 5 * names
const warmUpsMin = 3
const hosts = 10

interface Asked {
  readonly what: string
  readonly unit: string
  /** For both clients before the first round. */
  readonly before?: string
  readonly question: string
  readonly atLeast?: number
  readonly rounds?: number
  /** For what takes few calls a round: `warmUpsMin` of it would be too little. */
  readonly warmUps?: number
}

const questions: readonly Asked[] = [
  { what: "GetTime, 1 caller", unit: "calls/s", question: "time 1 3000" },
  { what: "GetTime, 16 callers", unit: "calls/s", question: "time 16 20000" },
  { what: "FetchStatus, 1 caller", unit: "calls/s", question: "status 1 3000" },
  { what: "FetchStatus, 16 callers", unit: "calls/s", question: "status 16 20000", atLeast: 2 },
  { what: "create and remove, 1 caller", unit: "pairs/s", question: "create 1 500", atLeast: 1, warmUps: 8 },
  { what: "create and remove, 4 callers", unit: "pairs/s", question: "create 4 1000", atLeast: 1, warmUps: 8 },
  {
    what: "InlineBulkStatus of 10,000 names, 1 caller",
    unit: "names/s",
    before: `populate ${names}`,
    question: `bulk 1 ${bulkNames}`,
    atLeast: 2,
  },
  {
    what: "InlineBulkStatus of 10,000 names, 4 callers",
    unit: "names/s",
    before: `populate ${names}`,
    question: `bulk 4 ${bulkNames}`,
    atLeast: 2,
  },
]

const bulk = (suffix: string, goals: readonly [number, number, number, number]): Asked[] =>
  [
    {
      what: `fetch 16 MB, 1 stream${suffix}`,
      before: `prepare 1 ${large}`,
      question: `fetch 1 ${large}`,
      atLeast: goals[0],
    },
    {
      what: `store 16 MB, 1 stream${suffix}`,
      before: `prepare 1 ${large}`,
      question: `store 1 ${large}`,
      atLeast: goals[1],
    },
    {
      what: `fetch 4 MB, 4 streams${suffix}`,
      before: `prepare 4 ${small}`,
      question: `fetch 4 ${small}`,
      atLeast: goals[2],
    },
    {
      what: `store 4 MB, 4 streams${suffix}`,
      before: `prepare 4 ${small}`,
      question: `store 4 ${small}`,
      atLeast: goals[3],
    },
  ].map((asked) => ({ ...asked, unit: "MB/s" }))

const plain = [...questions, ...bulk("", [1.4, 2, 2, 2.3])]
const jumbo = bulk(", jumbograms", [1.3, 1.3, 1.3, 1.3])

/** A server, and who asks it. */
interface Asking {
  readonly name: string
  readonly client: LoadClient
  readonly pid: number
}

/** Pieces of work in a question: calls, names or MB. */
function piecesOf({ unit, question }: Asked): number {
  const [, callers, count] = question.split(" ").map(Number)
  return unit === "MB/s" ? ((callers ?? 0) * (count ?? 0)) / 1e6 : (count ?? 0)
}

async function ask(asked: readonly Asked[], ours: Asking, peer: Asking): Promise<Answer[]> {
  const answers: Answer[] = []
  for (const one of asked) {
    const { what, unit, before, question, atLeast, rounds = 5, warmUps = warmUpsMin } = one
    for (const { client } of [ours, peer]) {
      if (before !== undefined) await client.ask(before)
      for (let time = 0; time < warmUps; time++) await client.ask(question)
    }
    const goal: Goal | undefined = atLeast === undefined ? undefined : { atLeast }
    const costs = { ours: new ServerCost(ours.pid), peer: new ServerCost(peer.pid) }
    const side = ({ name, client }: Asking, cost: ServerCost): Side => ({
      name,
      round: () => cost.round(() => client.ask(question)),
    })
    const rate = await answer({
      what,
      unit,
      rounds,
      ours: side(ours, costs.ours),
      peer: side(peer, costs.peer),
      ...(goal === undefined ? {} : { goal }),
    })
    const perPiece = unit.replace(/^(\w+?)s?\/s$/, "µs/$1")
    answers.push(rate, costAnswer(rate, piecesOf(one), perPiece, costs.ours, costs.peer))
  }
  return answers
}

/** In MiB. */
interface Memory {
  readonly resident: number
  readonly anonymous: number
}

/** Ten clients are promised 10,000 files each; what the server then takes. */
async function promised(cell: PeerCell, program: string, port: number, volume: number, pid: number): Promise<Memory> {
  const clients = Array.from({ length: hosts }, () => startLoadClient(cell, program, port, volume))
  const [first] = clients
  await first?.ask(`populate ${names}`)
  await first?.ask("keep 1")
  for (const client of clients) {
    await client.ask(`know ${names}`)
    await client.ask(`bulk 1 ${names}`)
  }
  const taken = { resident: residentMib(pid), anonymous: anonymousMib(pid) }
  for (const client of clients) client[Symbol.dispose]()
  return taken
}

const memoryQuestion = "resident memory with 100,000 callback promises"

/** Both servers are fresh; they are asked twice, since the first time is thrown away. */
async function compareMemory(cell: PeerCell, program: string, volume: number, ourPid: number): Promise<Answer[]> {
  const seen = { ours: [] as Memory[], peer: [] as Memory[] }
  const side = (name: string, port: number, pid: number, taken: Memory[]): Side => ({
    name,
    async round() {
      const memory = await promised(cell, program, port, volume, pid)
      taken.push(memory)
      return memory.resident
    },
  })
  const ours = side("dafs fileserver", ourPort, ourPid, seen.ours)
  const peer = side("dafileserver", peerPort, cell.pid("fs"), seen.peer)
  const resident = await answer({ what: memoryQuestion, unit: "MiB", rounds: 1, ours, peer, goal: { atMost: 1 } })
  const own = (taken: Memory[]): number => taken.shift()?.anonymous ?? Number.NaN
  const anonymous = await answer({
    what: `${memoryQuestion}: without programs and libraries`,
    unit: "MiB",
    rounds: 1,
    ours: { name: ours.name, round: () => own(seen.ours) },
    peer: { name: peer.name, round: () => own(seen.peer) },
  })
  return [resident, anonymous]
}

async function measure(directory: string, only: string | undefined): Promise<Answer[]> {
  process.chdir(directory)
  const program = buildLoadClient(directory)
  const wanted = (asked: readonly Asked[]): Asked[] =>
    asked.filter(({ what }) => only === undefined || what.includes(only))
  using cell = startPeerCell(join(directory, "cell"), "vl", "pt", "sal", "fs", "vol")
  const { id: volume, partition } = makeTwinVolumes(cell, directory, "load")
  const round = async (asked: readonly Asked[], options: readonly string[]): Promise<Answer[]> => {
    const isMemoryAsked = options.length === 0 && (only === undefined || memoryQuestion.includes(only))
    if (asked.length === 0 && !isMemoryAsked) return []
    await using server = await startFileserver(partition, join(directory, "state"), {
      run: cell.inside,
      options: ["--port", String(ourPort), ...options],
    })
    using ours = startLoadClient(cell, program, ourPort, volume)
    using peer = startLoadClient(cell, program, peerPort, volume)
    const memory = isMemoryAsked ? await compareMemory(cell, program, volume, server.pid) : []
    const asking = { name: "dafs fileserver", client: ours, pid: server.pid }
    return [...memory, ...(await ask(asked, asking, { name: "dafileserver", client: peer, pid: cell.pid("fs") }))]
  }
  const answers = await round(wanted(plain), [])
  if (wanted(jumbo).length === 0) return answers
  cell.stop("fs")
  process.env["CELL_FS_OPTIONS"] = "-p 64 -busyat 600 -rxpck 5000 -s 100000 -l 20000 -cb 100000 -b 240 -vc 2000 -jumbo"
  cell.start("fs")
  return [...answers, ...(await round(wanted(jumbo), ["--jumbo"]))]
}

const absence = loadClientAbsence() ?? (canHaveCell() ? undefined : "a cell needs root and OpenAFS's programs")
const args = process.argv.slice(2)
const only = args.includes("--only") ? args[args.indexOf("--only") + 1] : undefined
if (absence !== undefined) process.stderr.write(`skipped: ${absence}\n`)
else await inTemporaryDirectory(async (directory) => report(await measure(directory, only)))
