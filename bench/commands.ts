/**
 * How long do a command, a process and a thread take to start, packed, beside their modules? What they then do is nearly nothing.
 * Commands are told by what they take beyond Node.js itself, which is in the first row.
 */
import { fork, spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { MessageChannel, Worker } from "node:worker_threads"
import type { WorkerOrder } from "../salvager/group-worker.ts"
import { newThreadState, type ScanTask, scanWords } from "../salvager/scan-task.ts"
import { newPartition, volumeOf } from "../test/support/volume-builder.ts"
import { startFileserver } from "./fileserver-process.ts"
import { type Answer, answer, inTemporaryDirectory, report, type Side } from "./measure.ts"

const rounds = Number(process.env["DAFS_BENCH_ROUNDS"] ?? 20)
const build = join(import.meta.dirname, "..")
const packed = (name: string): string => join(build, "packed", name)
const modules = join(build, "cli", "command-line.js")

/** A program from its start to its end. @throws Error if it fails */
function spent(program: string, words: readonly string[]): number {
  const begin = performance.now()
  const { status, stderr } = spawnSync(process.execPath, [program, ...words], { encoding: "utf8" })
  if (status !== 0) throw new Error(`${words.join(" ")}: status ${status}: ${stderr}`)
  return performance.now() - begin
}

/** What a command takes more than an empty program, run just before it. */
const sideOf = (name: string, empty: string, program: string, words: readonly string[]): Side => ({
  name,
  round: () => -spent(empty, []) + spent(program, words),
})

const order: WorkerOrder = {
  type: "order",
  options: { readOnly: true, orphans: "ignore", salvageDirs: false },
  program: "salvager",
  stateDirectory: "/nowhere",
  hasFileserver: false,
  optimizesLate: false,
}

/** From the start of a salvager's process until it is ready for work. */
const workerSide = (name: string, program: string): Side => ({
  name,
  async round() {
    const begin = performance.now()
    const child = fork(program, [], { serialization: "advanced", execArgv: [] })
    child.send(order)
    await once(child, "message")
    const ready = performance.now() - begin
    child.disconnect()
    await once(child, "exit")
    return ready
  },
})

/** From the start of a thread until it has handed over that there was nothing to do. */
const threadSide = (name: string, program: string): Side => ({
  name,
  async round() {
    const begin = performance.now()
    const thread = new Worker(program, { workerData: newThreadState() })
    const { port1, port2 } = new MessageChannel()
    const words = new Int32Array(new SharedArrayBuffer(4 * Object.keys(scanWords).length))
    const task: ScanTask = { folders: [], isDevelopment: true, words, port: port2 }
    thread.postMessage(task, [port2])
    await once(port1, "message")
    const done = performance.now() - begin
    await thread.terminate()
    return done
  },
})

await inTemporaryDirectory(async (directory) => {
  if (!existsSync(packed("dafs.cjs"))) throw new Error("nothing is packed: npm run build packs")
  const empty = join(directory, "empty.cjs")
  writeFileSync(empty, "")
  const { path } = newPartition(join(directory, "vicepa"), "development")
  const filled = newPartition(join(directory, "vicepb"), "development")
  await volumeOf(filled, "a.volume", { file: "content" })
  const state = join(directory, "state")
  mkdirSync(state)
  const ofCommand = (what: string, words: readonly string[]): Promise<Answer> => {
    const ours = sideOf("packed", empty, packed("dafs.cjs"), words)
    const peer = sideOf("modules", empty, modules, words)
    return answer({ what, unit: "ms more", ours, peer, rounds })
  }
  const offline = ["--state-dir", state, "--offline"]
  const scan = "salvager/scan-thread.js"
  const answers = [
    await answer({
      what: "node, an empty program",
      unit: "ms",
      ours: { name: "", round: () => spent(empty, []) },
      rounds,
    }),
    await ofCommand("dafs salvager, an empty partition", ["salvager", "--partition", path, ...offline]),
    await ofCommand("dafs salvager, one volume", ["salvager", "--partition", filled.path, ...offline]),
    await ofCommand("dafs vos examine", ["vos", "examine", "a.volume", "--partition", filled.path, ...offline]),
    await ofCommand("dafs locks", ["locks", "--partition", path]),
    await ofCommand("dafs --help", ["--help"]),
  ]
  await using _fileserver = await startFileserver(filled.path, state, { options: ["--port", "0"] })
  const query = ["fssync", "query", "--volumeid", "536870912", "--state-dir", state]
  answers.push(await ofCommand("dafs fssync query", query))
  const worker = workerSide("packed", packed("group-worker.cjs"))
  const workerModules = workerSide("modules", join(build, "salvager", "group-worker.js"))
  answers.push(
    await answer({ what: "a salvager's process, ready", unit: "ms", ours: worker, peer: workerModules, rounds }),
  )
  const thread = threadSide("packed", packed("scan-thread.cjs"))
  const threadModules = threadSide("modules", join(build, scan))
  answers.push(
    await answer({ what: "a thread that scans, done", unit: "ms", ours: thread, peer: threadModules, rounds }),
  )
  report(answers)
})
