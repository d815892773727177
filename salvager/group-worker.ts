/**
 * A process of group-pool.ts: salvages the groups that it is told to, one after the other, and reports each. Told to stop, by whoever
 * started it, by a signal or by the loss of its channel, it ends the group that it has in hand and begins no other: the locks that keep
 * others from the whole partition are those of the process that started it, and gone with it.
 */
import { setImmediate as nextTurn } from "node:timers/promises"
import { outliveReaders } from "../common/cli/lost-reader.ts"
import { folderOpener } from "../common/disk/folder-reader.ts"
import { isAfsError } from "../common/error.ts"
import { openPartition, type Partition } from "../common/partition/partition.ts"
import type { ProgramType } from "../common/protocol/codes.ts"
import { openFileserver } from "../fssync/fileserver-link.ts"
import type { FssyncClient } from "../fssync/fssync-client.ts"
import { type GroupTask, isProgress } from "./group-pool.ts"
import { optimizeLate } from "./late-optimization.ts"
import { reportOperation } from "./operation-report.ts"
import { type GroupResult, type SalvageEvent, type SalvageOptions, salvageGroup } from "./salvage.ts"
import { Survey } from "./survey.ts"

/** What a worker is told first. */
export interface WorkerOrder {
  readonly type: "order"
  readonly options: Omit<SalvageOptions, "force" | "claimant" | "signal" | "now">
  readonly program: ProgramType
  /** Folder of the fileserver's socket. */
  readonly stateDirectory: string
  readonly hasFileserver: boolean
  /** See optimizeLate. */
  readonly optimizesLate: boolean
}

/** What it is told then. */
export interface WorkerTasks {
  readonly type: "tasks"
  readonly tasks: readonly GroupTask[]
}

/** What it is told if nothing more is to be begun. */
export interface WorkerStop {
  readonly type: "stop"
}

/** What it says. */
export type WorkerReport =
  | { readonly type: "ready" }
  | { readonly type: "progress"; readonly event: SalvageEvent }
  | { readonly type: "done"; readonly result: GroupResult; readonly events: readonly SalvageEvent[] }
  /** It ends, and does none of the tasks that it has and has not told as done. */
  | { readonly type: "leaving" }

const stopSignals = ["SIGINT", "SIGTERM", "SIGQUIT"] as const

/** Nobody may be listening any more: then what is in hand is finished all the same. */
function say(report: WorkerReport): void {
  if (process.connected) process.send?.(report, undefined, undefined, () => undefined) // that it is gone comes by the channel too
}

class GroupWorker {
  readonly #order: WorkerOrder
  readonly #surveys = new Map<string, Survey>()
  readonly #partitions = new Map<string, Partition>()
  readonly #stop: AbortSignal
  #fileserver: FssyncClient | undefined

  constructor(order: WorkerOrder, stop: AbortSignal) {
    this.#order = order
    this.#stop = stop
  }

  async connect(): Promise<void> {
    folderOpener() // nobody starts another process for a few folders
    const { stateDirectory, program, hasFileserver, optimizesLate } = this.#order
    if (optimizesLate) optimizeLate()
    this.#fileserver = await openFileserver({ stateDirectory, program, offline: !hasFileserver })
  }

  async run({ partition, group, force }: GroupTask): Promise<void> {
    const { options, program } = this.#order
    const claimant = { program, fileserver: this.#fileserver, report: reportOperation }
    const events: SalvageEvent[] = []
    const emit = (event: SalvageEvent): void => {
      if (isProgress(event)) say({ type: "progress", event })
      else events.push(event)
    }
    const own = { ...options, force, claimant, signal: this.#stop }
    const result = await salvageGroup(this.#surveyOf(partition), group, own, emit)
    say({ type: "done", result, events })
  }

  async close(): Promise<void> {
    await this.#fileserver?.[Symbol.asyncDispose]()
  }

  #surveyOf(path: string): Survey {
    const partition = this.#partitions.get(path) ?? openPartition(path)
    this.#partitions.set(path, partition)
    const survey = this.#surveys.get(path) ?? new Survey(partition)
    this.#surveys.set(path, survey)
    return survey
  }
}

/** Aborted once this process is told to stop, in whatever way. From a terminal or a service manager a signal reaches all processes. */
function untilStopped(): AbortSignal {
  const stop = new AbortController()
  const end = (): void => stop.abort()
  for (const signal of stopSignals) process.on(signal, end)
  process.on("disconnect", end)
  process.on("message", ({ type }: WorkerMessage) => {
    if (type === "stop") end()
  })
  return stop.signal
}

type WorkerMessage = WorkerOrder | WorkerTasks | WorkerStop

/** Messages in their order, until this process is told to stop. */
async function* messages(stop: AbortSignal): AsyncGenerator<WorkerMessage> {
  const waiting: WorkerMessage[] = []
  let wake: () => void = () => undefined
  process.on("message", (message: WorkerMessage) => {
    waiting.push(message)
    wake()
  })
  stop.addEventListener("abort", () => wake())
  while (!stop.aborted) {
    const next = waiting.shift()
    if (next !== undefined) yield next
    else
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
}

async function work(stop: AbortSignal): Promise<void> {
  let worker: GroupWorker | undefined
  for await (const message of messages(stop)) {
    if (message.type === "order") {
      worker = new GroupWorker(message, stop)
      await worker.connect()
      say({ type: "ready" })
    } else if (message.type === "tasks")
      for (const task of message.tasks) {
        if (stop.aborted) break
        await worker?.run(task)
        await nextTurn() // a salvage without a fileserver waits for nothing: signals and messages would never have a turn
      }
  }
  await worker?.close()
}

/** What was said is on its way once this is done. */
async function leave(): Promise<void> {
  const parting: WorkerReport = { type: "leaving" }
  if (process.connected) await new Promise<void>((resolve) => process.send?.(parting, () => resolve()))
  if (process.connected) process.disconnect()
}

async function main(): Promise<void> {
  outliveReaders()
  try {
    await work(untilStopped())
  } catch (error) {
    if (!isAfsError(error, "UNREACHABLE", "TIMEDOUT")) throw error // a fileserver that is gone: the others meet it, and say so
  }
  await leave()
}

void main()
