/**
 * The salvage server: takes requests over SALVSYNC, keeps them in a SalvageSchedule and runs each in a worker process of
 * its own, so that a worker that crashes takes nothing with it. A failed salvage puts the volume into the fileserver's
 * error state (FORCE_ERROR): only an operator decides what comes next.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Logger } from "../common/log.ts"
import type { Partition } from "../common/partition/partition.ts"
import { salvsyncProtocol } from "../fssync/command-table.ts"
import {
  commonReasons,
  fssyncReasons,
  nameIn,
  responses,
  type SyncAnswer,
  type SyncRequest,
  salvsyncCommands,
  salvsyncReasons,
} from "../fssync/message.ts"
import type { SalvageStatus } from "../fssync/payload.ts"
import { listenSync, type SyncServer } from "../fssync/server.ts"
import { type SalvageJob, SalvageSchedule, salvageStates } from "./schedule.ts"

/** How the server tells the fileserver that a salvage failed. */
export interface ErrorReporter {
  forceError(volume: number, partition: string, reason: number): Promise<unknown>
}

/** The command line of a worker: it salvages the group of `volume` and ends with status 0 where that succeeded. */
export type WorkerCommand = (partition: Partition, volume: number) => readonly string[]

export interface SalvageServerOptions {
  readonly partitions: readonly Partition[]
  readonly socket: string
  /** Workers at a time. */
  readonly parallel: number
  readonly worker: WorkerCommand
  readonly fileserver: ErrorReporter
  readonly log: Logger
  /** On shutdown workers may finish for this long before they are told to stop; 20 s. */
  readonly finishMs?: number
  readonly now?: () => number
}

/** Exit status of a worker that found its volume to be a clone and linked it to its group. */
const linkedStatus = 10
const defaultFinishMs = 20_000

/** A running salvage server. */
export class SalvageServer implements AsyncDisposable {
  readonly schedule = new SalvageSchedule()
  readonly #options: SalvageServerOptions
  readonly #workers = new Map<SalvageJob, ChildProcess>()
  readonly #now: () => number
  #server: SyncServer | undefined
  #stopping = false
  #idle: (() => void) | undefined

  constructor(options: SalvageServerOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  /** Begins to listen. @throws AfsError if another salvage server answers on the socket. */
  async listen(): Promise<void> {
    const { socket, log } = this.#options
    const handle = (request: SyncRequest): SyncAnswer => this.answer(request)
    const status = (): SalvageStatus => this.#status(undefined)
    this.#server = await listenSync({ path: socket, protocol: salvsyncProtocol, handle, status, log })
  }

  /** Answers one SALVSYNC request. */
  answer(request: SyncRequest): SyncAnswer {
    switch (request.command) {
      case salvsyncCommands.SALVAGE:
      case salvsyncCommands.RAISEPRIO:
        return this.#salvage(request)
      case salvsyncCommands.CANCEL:
        return this.#cancel(request)
      case salvsyncCommands.QUERY:
        return this.#ok(this.schedule.standingFor(request.volume, request.partition))
      case salvsyncCommands.CANCELALL:
        this.schedule.cancelAll()
        return this.#ok(undefined)
      case salvsyncCommands.LINK:
        return this.#link(request)
      default:
        return this.#ok(undefined) // NOP: the server checked that the command is known
    }
  }

  /** Stops taking requests; running workers may finish, then are told to stop. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true
    await this.#server?.close()
    if (this.#workers.size === 0) return
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve
    })
    const timer = setTimeout(() => {
      for (const worker of this.#workers.values()) worker.kill("SIGTERM")
    }, this.#options.finishMs ?? defaultFinishMs)
    await idle
    clearTimeout(timer)
  }

  #salvage({ volume, partition, vnode: priority, reason }: SyncRequest): SyncAnswer {
    if (this.#partition(partition) === undefined) return this.#refuse(undefined)
    const job = this.schedule.request(volume, partition, priority, reason, this.#now())
    this.#options.log.info(
      { volume, partition, priority: job.priority, reason: nameIn(salvsyncReasons, reason), state: job.state },
      "salvage requested",
    )
    const answer = this.#ok(job) // as it waits, before it is its turn
    this.#startWorkers()
    return answer
  }

  #cancel({ volume, partition }: SyncRequest): SyncAnswer {
    const before = this.schedule.cancel(volume, partition)
    const job = this.schedule.find(volume, partition)
    return this.#ok(job === undefined ? undefined : { ...job, state: before })
  }

  #link({ volume, parent, partition }: SyncRequest): SyncAnswer {
    const linked = this.schedule.link(volume, parent, partition, this.#now())
    if (!linked) return this.#refuse(this.schedule.find(volume, partition) === undefined ? salvsyncReasons.ERROR : 0)
    this.#startWorkers()
    return this.#ok(undefined)
  }

  #ok(job: SalvageJob | undefined): SyncAnswer {
    return { response: responses.OK, reason: commonReasons.NONE, payload: this.#status(job) }
  }

  #refuse(reason: number | undefined): SyncAnswer {
    return { response: responses.DENIED, reason: reason ?? commonReasons.NONE, payload: this.#status(undefined) }
  }

  #status(job: SalvageJob | undefined): SalvageStatus {
    return {
      known: job !== undefined,
      state: salvageStates[job?.state ?? "unknown"],
      prio: job?.priority ?? 0,
      sq_len: this.schedule.queuedCount,
      pq_len: this.schedule.runningCount,
    }
  }

  #partition(name: string): Partition | undefined {
    return this.#options.partitions.find((partition) => partition.name === name)
  }

  #startWorkers(): void {
    while (!this.#stopping && this.#workers.size < this.#options.parallel) {
      const job = this.schedule.take(this.#now())
      if (job === undefined) return
      this.#startWorker(job)
    }
  }

  #startWorker(job: SalvageJob): void {
    const partition = this.#partition(job.partition)
    const words = partition === undefined ? [] : this.#options.worker(partition, job.volume)
    const [program, ...rest] = words
    if (program === undefined) {
      this.#ended(job, "no such partition")
      return
    }
    const worker = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"] })
    this.#workers.set(job, worker)
    const log = this.#options.log.child({ volume: job.volume, partition: job.partition, worker: worker.pid })
    log.info("salvage started")
    const said = lastLines(worker, log)
    worker.once("error", (error) => this.#ended(job, error.message))
    worker.once("close", (code, signal) => this.#ended(job, failureOf(code, signal, said.at(-1))))
  }

  #ended(job: SalvageJob, failure: string | undefined): void {
    if (job.state !== "salvaging") return
    this.#workers.delete(job)
    this.schedule.ended(job, failure, this.#now())
    const facts = { volume: job.volume, partition: job.partition, ms: this.#now() - (job.startedAt ?? 0) }
    if (failure === undefined) this.#options.log.info(facts, "salvage done")
    else {
      this.#options.log.error({ ...facts, failure }, "salvage failed")
      this.#reportFailure(job)
    }
    this.#startWorkers()
    if (this.#workers.size === 0) this.#idle?.()
  }

  /** The fileserver is told for the volume and every clone linked to it. */
  #reportFailure(job: SalvageJob): void {
    for (const other of this.schedule.jobs()) {
      if (other !== job && other.group !== job) continue
      const report = this.#options.fileserver.forceError(other.volume, other.partition, fssyncReasons.WHATEVER)
      // a fileserver that is down learns of the damage at its next attach
      void report.catch((err: unknown) => {
        this.#options.log.warn({ volume: other.volume, err }, "the fileserver could not be told of a failed salvage")
      })
    }
  }
}

function failureOf(
  code: number | null,
  signal: NodeJS.Signals | null,
  lastWords: string | undefined,
): string | undefined {
  if (code === 0 || code === linkedStatus) return undefined
  const how = signal === null ? `the worker ended with status ${code}` : `the worker was killed by ${signal}`
  return lastWords === undefined ? how : `${how}: ${lastWords}`
}

/** Hands a worker's lines to the log and keeps the latest lines of its standard error. */
function lastLines(worker: ChildProcess, log: Logger): string[] {
  const kept: string[] = []
  if (worker.stdout !== null) createInterface(worker.stdout).on("line", (line) => log.debug({ line }, "worker"))
  if (worker.stderr !== null) {
    createInterface(worker.stderr).on("line", (line) => {
      kept.push(line)
      if (kept.length > 20) kept.shift()
      log.warn({ line }, "worker")
    })
  }
  return kept
}
