/** A process of group-pool.ts: salvages the groups that it is told to, one after the other, and reports each. */
import { folderOpener } from "../common/disk/folder-reader.ts"
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
interface WorkerTasks {
  readonly type: "tasks"
  readonly tasks: readonly GroupTask[]
}

/** What it says. */
export type WorkerReport =
  | { readonly type: "ready" }
  | { readonly type: "progress"; readonly event: SalvageEvent }
  | { readonly type: "done"; readonly result: GroupResult; readonly events: readonly SalvageEvent[] }

/** Nobody may be listening any more: then what is in hand is finished all the same. */
function say(report: WorkerReport): void {
  if (process.connected) process.send?.(report)
}

class GroupWorker {
  readonly #order: WorkerOrder
  readonly #surveys = new Map<string, Survey>()
  readonly #partitions = new Map<string, Partition>()
  #fileserver: FssyncClient | undefined

  constructor(order: WorkerOrder) {
    this.#order = order
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
    const result = await salvageGroup(this.#surveyOf(partition), group, { ...options, force, claimant }, emit)
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

/** Messages in their order, until the channel closes. */
async function* messages(): AsyncGenerator<WorkerOrder | WorkerTasks> {
  const waiting: (WorkerOrder | WorkerTasks)[] = []
  let wake: () => void = () => undefined
  let isOpen = true
  process.on("message", (message: WorkerOrder | WorkerTasks) => {
    waiting.push(message)
    wake()
  })
  process.on("disconnect", () => {
    isOpen = false
    wake()
  })
  while (isOpen || waiting.length > 0) {
    const next = waiting.shift()
    if (next !== undefined) yield next
    else
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
}

async function main(): Promise<void> {
  process.on("SIGINT", () => undefined) // from a terminal it reaches all; whoever started this one closes the channel
  let worker: GroupWorker | undefined
  for await (const message of messages()) {
    if (message.type === "order") {
      worker = new GroupWorker(message)
      await worker.connect()
      say({ type: "ready" })
      continue
    }
    for (const task of message.tasks) if (process.connected) await worker?.run(task)
  }
  await worker?.close()
}

void main()
