/**
 * How fast is Rx? Small calls and bulk data between two endpoints of ours over loopback, each in a process of its own, on the
 * best back end that this machine has, and on node:dgram beside it; small calls to OpenAFS's vlserver by the same client where a cell can
 * be had (measured before the others, since a cell has a network of its own). CPU is the serving process's.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Call } from "../common/rx/call.ts"
import type { Connection } from "../common/rx/connection.ts"
import { parseHost } from "../common/rx/datagram-port.ts"
import { openRxSocket, type RxSocket, type SocketBackEnd } from "../common/rx/socket.ts"
import { answer, type Question, report, type Side } from "./measure.ts"

const loopback = "127.0.0.1"
const host = parseHost(loopback) ?? 0
const serviceId = 52
const probe = Buffer.from([0, 0, 2, 2])
const fetchOpcode = 7
const piece = Buffer.alloc(1 << 16, "dafs")
const bulkBytes = 16 << 20
const callsPerRound = 8_000
const rounds = 5

/** Opcode 7 and a length: sends that many bytes. Anything else: reads all, answers with nothing. */
function serve(call: Call): void {
  const first = call.read()
  if (first?.[3] === fetchOpcode) return sendBulk(call, Buffer.from(first).readUInt32BE(4))
  const buffer = Buffer.alloc(1 << 16)
  const drain = (): void => {
    while (call.readInto(buffer, 0, buffer.length) > 0);
    if (call.isRead) call.finish()
  }
  call.onData = drain
  drain()
}

function sendBulk(call: Call, length: number): void {
  let left = length
  const write = (): void => {
    while (left > 0) {
      const count = call.write(piece, 0, Math.min(left, piece.length))
      if (count === 0) return
      left -= count
    }
    call.finish()
  }
  call.onRoom = write
  write()
}

async function serveForEver(jumbograms: number, backEnd: SocketBackEnd): Promise<void> {
  const services = [{ id: serviceId, onCall: serve }]
  const socket = await openRxSocket({ address: loopback, services, jumbograms, backEnd })
  process.stdout.write(`${socket.port}\n`)
  process.stdin.resume()
  process.stdin.on("end", () => process.exit(0))
}

interface Server {
  readonly child: ChildProcess
  readonly port: number
}

async function startServer(jumbograms: number, backEnd: SocketBackEnd): Promise<Server> {
  const child = spawn(process.execPath, [import.meta.filename, "--serve", String(jumbograms), backEnd], {
    stdio: ["pipe", "pipe", "inherit"],
  })
  const port = await new Promise<number>((resolve) => child.stdout?.once("data", (line) => resolve(Number(line))))
  return { child, port }
}

/** Microseconds of CPU that a process has used, to a hundredth of a second. */
function cpuOf(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

/** One small call after the other, in `width` rows at a time; calls a second. */
function smallCalls(connections: readonly Connection[], width: number, count: number): Promise<number> {
  const begin = performance.now()
  let left = count
  let running = width
  return new Promise((resolve, reject) => {
    const next = (index: number): void => {
      if (left-- <= 0) {
        if (--running === 0) resolve((count / (performance.now() - begin)) * 1000)
        return
      }
      const call = connections[index >> 2]?.newCall()
      if (call === undefined) return
      call.onData = () => void call.read()
      call.onEnd = (_, error) => (error === undefined ? next(index) : reject(error))
      call.write(probe)
      call.finish()
    }
    for (let index = 0; index < width; index++) next(index)
  })
}

function connect(client: RxSocket, to: number, port: number, width: number): Connection[] {
  return Array.from({ length: (width + 3) >> 2 }, () => client.endpoint.connect(to, port, serviceId))
}

/** Fetches or stores with some streams at a time; MB a second. */
async function bulk(connections: readonly Connection[], streams: number, isFetch: boolean): Promise<number> {
  const begin = performance.now()
  const length = bulkBytes / streams
  await Promise.all(Array.from({ length: streams }, (_, index) => stream(connections[index], length, isFetch)))
  return bulkBytes / (performance.now() - begin) / 1000
}

function stream(connection: Connection | undefined, length: number, isFetch: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = connection?.newCall()
    if (call === undefined) return reject(new Error("no connection"))
    const buffer = Buffer.alloc(1 << 16)
    let got = 0
    call.onData = () => {
      for (
        let count = call.readInto(buffer, 0, buffer.length);
        count > 0;
        count = call.readInto(buffer, 0, buffer.length)
      )
        got += count
    }
    call.onEnd = (_, error) => {
      if (error !== undefined) reject(error)
      else if (isFetch && got !== length) reject(new Error(`${got} bytes of ${length}`))
      else resolve()
    }
    if (!isFetch) return sendBulk(call, length)
    const request = Buffer.from([0, 0, 0, fetchOpcode, 0, 0, 0, 0])
    request.writeUInt32BE(length, 4)
    call.write(request)
    call.finish()
  })
}

interface Bench {
  readonly server: Server
  readonly client: RxSocket
}

const side = (name: string, round: () => Promise<number>): Side => ({ name, round })

function smallQuestion({ server, client }: Bench, width: number, peer: Side | undefined): Question {
  const connections = connect(client, host, server.port, width)
  const what = `small calls, ${width} at a time`
  return {
    what,
    unit: "calls/s",
    ours: side("ours", () => smallCalls(connections, width, callsPerRound)),
    peer,
    rounds,
  }
}

/** The best back end, and node:dgram. */
type Both = readonly [ours: Bench, node: Bench]

function sides(
  both: Both,
  round: (bench: Bench) => () => Promise<number>,
): { readonly ours: Side; readonly peer: Side } {
  const [ours, node] = both
  return { ours: side(ours.client.backEnd, round(ours)), peer: side(node.client.backEnd, round(node)) }
}

/** What the server's CPU was per call: of rounds of their own, long enough for a clock of hundredths. */
function cpuQuestion(both: Both, width: number): Question {
  const round = ({ server, client }: Bench) => {
    const connections = connect(client, host, server.port, width)
    return async (): Promise<number> => {
      const before = cpuOf(server.child.pid)
      await smallCalls(connections, width, 2 * callsPerRound)
      return (cpuOf(server.child.pid) - before) / (2 * callsPerRound)
    }
  }
  return { what: `server CPU per small call, ${width} at a time`, unit: "µs", ...sides(both, round), rounds }
}

function bulkQuestions(both: Both, name: string): Question[] {
  const round = (streams: number, isFetch: boolean) => (bench: Bench) => {
    const connections = connect(bench.client, host, bench.server.port, 4 * streams)
    return () => bulk(connections, streams, isFetch)
  }
  return [1, 4].flatMap((streams) =>
    [true, false].map((isFetch) => ({
      what: `${isFetch ? "fetch" : "store"}, ${streams === 1 ? "one stream" : `${streams} streams`}${name}`,
      unit: "MB/s",
      ...sides(both, round(streams, isFetch)),
      rounds,
    })),
  )
}

function bulkCpuQuestion(both: Both, isFetch: boolean): Question {
  const round = ({ server, client }: Bench) => {
    const connections = connect(client, host, server.port, 1)
    return async (): Promise<number> => {
      const before = cpuOf(server.child.pid)
      for (let count = 0; count < 4; count++) await bulk(connections, 1, isFetch)
      return (cpuOf(server.child.pid) - before) / ((4 * bulkBytes) / 1416)
    }
  }
  const what = `server CPU per data packet, ${isFetch ? "fetch" : "store"}`
  return { what, unit: "µs", ...sides(both, round), rounds: 3 }
}

async function start(jumbograms: number): Promise<Both> {
  const one = async (backEnd: SocketBackEnd): Promise<Bench> => ({
    server: await startServer(jumbograms, backEnd),
    client: await openRxSocket({ address: loopback, jumbograms, backEnd }),
  })
  return [await one("auto"), await one("node")]
}

async function stop(both: Both): Promise<void> {
  for (const { server, client } of both) {
    await client.close()
    server.child.stdin?.end()
  }
}

/** Inside a cell: rates of small calls at the vlserver, one figure per line. */
async function callVlserver(address: string): Promise<void> {
  const client = await openRxSocket()
  for (const width of [1, 16]) {
    const connections = connect(client, parseHost(address) ?? 0, 7003, width)
    const rates: number[] = []
    for (let round = 0; round <= rounds; round++) rates.push(await smallCalls(connections, width, callsPerRound / 2))
    process.stdout.write(`${rates.slice(1).join(" ")}\n`)
  }
  await client.close()
}

/** The vlserver's rates with 1 and 16 at a time, measured in a cell that is up only for that; undefined without OpenAFS. */
function peerSides(): (Side | undefined)[] {
  const script = join(import.meta.dirname, "..", "..", "test", "openafs", "cell")
  const directory = mkdtempSync(join(tmpdir(), "dafs-bench-"))
  try {
    execFileSync(script, ["up", directory, "vl"], {
      stdio: "ignore",
      env: { ...process.env, CELL_OWNER: `${process.pid}` },
    })
    const output = execFileSync(script, [
      "exec",
      directory,
      process.execPath,
      import.meta.filename,
      "--vlserver",
      "10.99.0.1",
    ])
    return output
      .toString("latin1")
      .trim()
      .split("\n")
      .map((line) => {
        const rates = line.split(" ").map(Number)
        let at = 0
        return side("vlserver's ProbeServer", () => Promise.resolve(rates[at++ % rates.length] ?? Number.NaN))
      })
  } catch {
    return []
  } finally {
    try {
      execFileSync(script, ["down", directory], { stdio: "ignore" })
    } catch {
      // There was no cell to take down.
    }
    rmSync(directory, { recursive: true, force: true })
  }
}

async function main(): Promise<void> {
  const [peerOne, peerMany] = peerSides()
  const plain = await start(1)
  const jumbo = await start(4)
  const questions = [
    smallQuestion(plain[0], 1, peerOne),
    smallQuestion(plain[0], 16, peerMany),
    cpuQuestion(plain, 16),
    ...bulkQuestions(plain, ""),
    bulkCpuQuestion(plain, true),
    bulkCpuQuestion(plain, false),
    ...bulkQuestions(jumbo, ", jumbograms"),
  ]
  const answers = []
  for (const question of questions) answers.push(await answer(question))
  await stop(plain)
  await stop(jumbo)
  report(answers)
}

const [mode, argument, wanted] = process.argv.slice(2)
if (mode === "--serve") await serveForEver(Number(argument), wanted === "node" ? "node" : "auto")
else if (mode === "--vlserver") await callVlserver(argument ?? "")
else await main()
