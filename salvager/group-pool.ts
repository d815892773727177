/**
 * Salvages of many groups at a time: this process works, and so do others beside it, each with its own locks and its own
 * connection to the fileserver, for record locks belong to the process that took them. A worker that dies takes down the
 * group that it had in hand, and no other: what it was to do next is done by others.
 *
 * Files of a volume may lie in the folders of several groups: the salvage of each takes it. So a group of which somebody has a volume
 * while several processes work is tried again when this one is alone.
 */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { WorkerOrder, WorkerReport, WorkerStop, WorkerTasks } from "./group-worker.ts"
import type { Emit, GroupResult, SalvageEvent } from "./salvage.ts"

/** One group of one partition. */
export interface GroupTask {
  /** Path of the partition. */
  readonly partition: string
  /** Its name. */
  readonly name: string
  readonly group: number
  /** The group is looked at even if it is marked as consistent. */
  readonly force: boolean
}

export interface PoolOptions {
  /** Processes that work at a time, this one included. */
  readonly parallel: number
  /** What workers need to know beside their tasks. */
  readonly order: WorkerOrder
  /** Does one task in this process. */
  readonly work: (task: GroupTask, emit: Emit) => Promise<GroupResult>
  readonly signal?: AbortSignal | undefined
  /** Processes that are started at once; default: all that may work. The others join in where it turns out to be long. */
  readonly atOnce?: number
  /** Milliseconds after which the pace so far says how long it will be. */
  readonly aloneMs?: number
  /** Program that a worker runs; for tests. */
  readonly program?: string
}

const workerProgram = fileURLToPath(new URL("./group-worker.js", import.meta.url))
/** Work for one process, in milliseconds, for which another one is worth its start: with less it is hardly there before the end. */
const worthStartMs = 250
/** With so many behind it a pool knows its pace: the first groups take twice as long as the others. */
const defaultAloneMs = 60
const firstPace = 2
/** So long nobody else has a turn: neither workers nor signals. */
const turnMs = 5
/** Tasks that a worker gets at once at most: more save nothing, and are lost time if it dies. */
const batchMax = 16

/**
 * Does all tasks and gives their results, in the order of the tasks. Findings of a group are emitted together, at its end.
 * Stops handing out when `signal` is aborted: what has begun is finished.
 */
export async function salvageGroups(
  tasks: readonly GroupTask[],
  options: PoolOptions,
  emit: Emit,
): Promise<GroupResult[]> {
  return new Pool(tasks, options, emit).run()
}

interface PoolWorker {
  readonly process: ChildProcess
  /** Tasks that it has and has not ended, in order. */
  readonly tasks: GroupTask[]
}

class Pool {
  readonly #options: PoolOptions
  readonly #emit: Emit
  readonly #order: ReadonlyMap<string, number>
  readonly #waiting: GroupTask[]
  /** Groups that were busy; another process of this run may have been it. */
  readonly #again: GroupTask[] = []
  readonly #workers = new Set<PoolWorker>()
  readonly #results: GroupResult[] = []
  readonly #begun = performance.now()
  #started = 0
  #changed: () => void = () => undefined

  constructor(tasks: readonly GroupTask[], options: PoolOptions, emit: Emit) {
    this.#options = options
    this.#emit = emit
    this.#waiting = [...tasks]
    this.#order = new Map(tasks.map((task, index) => [keyOf(task), index]))
  }

  async run(): Promise<GroupResult[]> {
    const stop = (): void => this.#stop()
    this.#options.signal?.addEventListener("abort", stop)
    try {
      this.#startWorkers(this.#options.atOnce ?? this.#options.parallel)
      do {
        await this.#workHere()
        if (this.#workers.size > 0) await this.#nextChange()
        if (this.#workers.size === 0) this.#waiting.push(...this.#again.splice(0))
      } while (this.#workers.size > 0 || (this.#waiting.length > 0 && !this.#isStopped))
    } finally {
      this.#options.signal?.removeEventListener("abort", stop)
      this.#dismiss()
    }
    const place = ({ partition, group }: GroupResult): number => this.#order.get(`${partition} ${group}`) ?? 0
    return this.#results.sort((a, b) => place(a) - place(b))
  }

  get #isStopped(): boolean {
    return this.#options.signal?.aborted === true
  }

  /** Takes tasks one by one; now and then it is the workers' turn. */
  async #workHere(): Promise<void> {
    let turn = performance.now()
    while (!this.#isStopped) {
      const task = this.#waiting.shift()
      if (task === undefined) return
      await this.#doHere(task)
      const now = performance.now()
      if (this.#started < this.#options.parallel - 1) this.#startWorkers(this.#workersFor(now - this.#begun))
      if (now - turn < turnMs) continue
      await new Promise((resolve) => setImmediate(resolve))
      turn = performance.now()
    }
  }

  /** What is told meanwhile by others does not come between findings of one group and what became of it. */
  async #doHere(task: GroupTask): Promise<void> {
    const isAlone = this.#workers.size === 0
    const events: SalvageEvent[] = []
    const emit = (event: SalvageEvent): void => {
      if (isProgress(event)) this.#emit(event)
      else events.push(event)
    }
    const result = await this.#options.work(task, emit)
    this.#takeResult(task, result, events, isAlone)
  }

  #takeResult(task: GroupTask, result: GroupResult, events: readonly SalvageEvent[], isAlone: boolean): void {
    if (result.status === "busy" && !isAlone) {
      this.#again.push(task)
      return
    }
    for (const event of events) this.#emit(event)
    this.#results.push(result)
  }

  /** How many are worth their start for what is left, at the pace so far. */
  #workersFor(elapsedMs: number): number {
    if (elapsedMs < (this.#options.aloneMs ?? defaultAloneMs)) return 0
    return workersFor(((elapsedMs / this.#results.length) * this.#waiting.length) / firstPace)
  }

  /** They finish the group that they have in hand, and tell it. */
  #stop(): void {
    for (const worker of this.#workers) tell(worker, { type: "stop" })
  }

  /** The same, but nobody listens any more. */
  #dismiss(): void {
    for (const { process } of this.#workers) if (process.connected) process.disconnect()
  }

  /** So many in all, as far as they may be and there is something for each; those that died are not replaced. */
  #startWorkers(count: number): void {
    const most = Math.min(count, this.#options.parallel - 1)
    while (this.#started < most && this.#waiting.length > this.#workers.size + 1) this.#startWorker()
  }

  #startWorker(): void {
    this.#started++
    const child = startedProcess(this.#options.program ?? workerProgram)
    if (child === undefined) return
    const worker: PoolWorker = { process: child, tasks: [] }
    this.#workers.add(worker)
    child.send(this.#options.order)
    child.on("message", (report: WorkerReport) => this.#take(worker, report))
    child.on("error", (error) => {
      if (child.pid === undefined) this.#ended(worker, error.message) // else it could not be told something: it ends, or has
    })
    child.once("exit", (code, signal) => {
      const how = signal === null ? `ended with status ${code}` : `was killed by ${signal}`
      // what it said before may still be on its way
      if (child.connected) child.once("disconnect", () => this.#ended(worker, how))
      else this.#ended(worker, how)
    })
  }

  #take(worker: PoolWorker, report: WorkerReport): void {
    if (!this.#workers.has(worker)) return // its tasks are others' by now
    if (report.type === "progress") this.#emit(report.event)
    else if (report.type === "leaving") this.#waiting.unshift(...worker.tasks.splice(0))
    else {
      const task = report.type === "done" ? worker.tasks.shift() : undefined
      if (report.type === "done" && task !== undefined) this.#takeResult(task, report.result, report.events, false)
      if (worker.tasks.length <= 1) this.#handOut(worker)
    }
  }

  /** Fewer at a time as the end comes near, so that all end together. */
  #handOut(worker: PoolWorker): void {
    const share = Math.ceil(this.#waiting.length / (4 * this.#options.parallel))
    const tasks = this.#isStopped || isGone(worker) ? [] : this.#waiting.splice(0, Math.min(batchMax, share))
    worker.tasks.push(...tasks)
    if (tasks.length > 0) tell(worker, { type: "tasks", tasks })
    else if (worker.tasks.length === 0 && worker.process.connected) worker.process.disconnect()
  }

  #ended(worker: PoolWorker, how: string): void {
    if (!this.#workers.delete(worker)) return
    const [broken, ...others] = worker.tasks
    if (broken !== undefined && !this.#isStopped) this.#fail(broken, how)
    this.#waiting.unshift(...others) // this process takes them, and so may other workers
    this.#changed()
  }

  #fail({ name, group }: GroupTask, how: string): void {
    const error = { code: undefined, message: `the salvager of group ${group} ${how}` }
    const counts = { note: 0, repaired: 0, loss: 0, left: 0 }
    const facts = { partition: name, group, volumes: [], counts, files: 0, milliseconds: 0 }
    const result: GroupResult = { type: "group", status: "failed", error, ...facts }
    this.#emit(result)
    this.#results.push(result)
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = resolve
    })
  }
}

/** Undefined if the system has no room for another process, and Node.js throws that instead of telling it later: it is not needed. */
function startedProcess(program: string): ChildProcess | undefined {
  try {
    return fork(program, [], { serialization: "advanced", stdio: ["ignore", "inherit", "inherit", "ipc"] })
  } catch {
    return undefined
  }
}

function tell({ process }: PoolWorker, message: WorkerTasks | WorkerStop): void {
  if (process.connected) process.send(message)
}

const isGone = ({ process: { exitCode, signalCode, connected } }: PoolWorker): boolean =>
  exitCode !== null || signalCode !== null || !connected

/** How many processes are worth their start beside this one for so much work. */
export const workersFor = (workMs: number): number => Math.floor(workMs / worthStartMs)

const keyOf = ({ name, group }: GroupTask): string => `${name} ${group}`

/** Events that a worker sends on at once: they are for whoever watches. The others follow with the result. */
export const isProgress = (event: SalvageEvent): boolean => event.type === "phase"
