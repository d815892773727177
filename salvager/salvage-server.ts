/**
 * The salvage server: takes requests over SALVSYNC, keeps them in a SalvageSchedule and runs each in a worker process of
 * its own, so that a worker that crashes takes nothing with it. One that was killed, or that lost its fileserver, is followed
 * by another (worker-end.ts). A failed salvage puts the volume into the fileserver's error state (FORCE_ERROR): only an
 * operator decides what comes next.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { isDiskError } from "../common/disk/disk.ts"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { FormatError } from "../common/error.ts"
import type { Logger } from "../common/log.ts"
import { headerPath, type Partition } from "../common/partition/partition.ts"
import { parseVolumeHeader, readHeaderBytes } from "../common/volume/volume-header.ts"
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
import { JobBoard } from "./job-board.ts"
import { type JobView, salvageBoardName, salvageHistoryName, viewOf } from "./job-view.ts"
import { appendHistory } from "./salvage-history.ts"
import { type SalvageJob, SalvageSchedule, salvageStates } from "./schedule.ts"
import { judgeEnd, pauseAfter, type WorkerEnd } from "./worker-end.ts"
import { WorkerTalk } from "./worker-talk.ts"

/** How the server tells the fileserver that a salvage failed. */
export interface ErrorReporter {
  forceError(volume: number, partition: string, reason: number): Promise<unknown>
}

/** The command line of a worker: it salvages the group of `volume` and ends with status 0 where that succeeded. */
export type WorkerCommand = (partition: Partition, volume: number) => readonly string[]

export interface SalvageServerOptions {
  readonly partitions: readonly Partition[]
  readonly socket: string
  /** Folder for the socket that tells about jobs and for their history; undefined: neither is kept. */
  readonly stateDirectory?: string
  /** Workers at a time. */
  readonly parallel: number
  readonly worker: WorkerCommand
  readonly fileserver: ErrorReporter
  readonly log: Logger
  /** On shutdown workers may finish for this long before they are told to stop; 20 s. */
  readonly finishMs?: number
  readonly now?: () => number
}

const defaultFinishMs = 20_000

/** A running salvage server. */
export class SalvageServer implements AsyncDisposable {
  readonly schedule = new SalvageSchedule()
  readonly #options: SalvageServerOptions
  readonly #workers = new Map<SalvageJob, ChildProcess>()
  readonly #talks = new Map<SalvageJob, WorkerTalk>()
  readonly #board = new JobBoard(() => this.jobs())
  readonly #now: () => number
  #server: SyncServer | undefined
  #stopping = false
  #idle: (() => void) | undefined
  /** Set while a postponed job waits for its time. */
  #due: NodeJS.Timeout | undefined

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
    const { stateDirectory } = this.#options
    if (stateDirectory !== undefined) await this.#board.listen(`${stateDirectory}/${salvageBoardName}`)
  }

  /** All jobs since the start, those that run with how far they are. */
  jobs(): JobView[] {
    return [...this.schedule.jobs()].filter(({ state }) => state !== "unknown").map((job) => this.#viewOf(job))
  }

  #viewOf(job: SalvageJob): JobView {
    const talk = this.#talks.get(job)
    return viewOf(job, job.state === "salvaging" ? talk?.progress : undefined, talk?.outcome)
  }

  /** Answers one SALVSYNC request. */
  answer(request: SyncRequest): SyncAnswer {
    this.#board.changed()
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
    clearTimeout(this.#due)
    await this.#server?.close()
    await this.#board[Symbol.asyncDispose]()
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
    const served = this.#partition(partition)
    if (served === undefined) return this.#refuse(undefined)
    const asked = this.schedule.request(volume, partition, priority, reason, this.#now())
    const job = this.#withGroup(served, asked)
    this.#options.log.info(
      { volume, partition, priority: job.priority, reason: nameIn(salvsyncReasons, reason), state: job.state },
      "salvage requested",
    )
    const answer = this.#ok(job) // as it waits, before it is its turn
    this.#startWorkers()
    return answer
  }

  /**
   * A clone is salvaged with its read-write volume: the header says which that is. Two workers on one group would only be
   * in each other's way.
   */
  #withGroup(partition: Partition, job: SalvageJob): SalvageJob {
    if (job.state !== "queued") return job
    const parent = parentOf(partition, job.volume)
    if (parent === undefined || parent === job.volume) return job
    this.schedule.link(job.volume, parent, job.partition, this.#now())
    return job.group ?? job
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
      if (job === undefined) return this.#startLater()
      this.#startWorker(job)
    }
  }

  #startLater(): void {
    clearTimeout(this.#due)
    const due = this.schedule.nextDue(this.#now())
    if (due !== undefined) this.#due = setTimeout(() => this.#startWorkers(), due - this.#now())
  }

  #startWorker(job: SalvageJob): void {
    const partition = this.#partition(job.partition)
    const words = partition === undefined ? [] : this.#options.worker(partition, job.volume)
    const [program, ...rest] = words
    if (program === undefined) {
      this.#ended(job, { kind: "failed", why: "no such partition" })
      return
    }
    const worker = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"] })
    this.#workers.set(job, worker)
    const log = this.#options.log.child({ volume: job.volume, partition: job.partition, worker: worker.pid })
    log.info("salvage started")
    const talk = new WorkerTalk(worker, log, this.#now, () => this.#board.changed())
    this.#talks.set(job, talk)
    worker.once("error", (error) => this.#ended(job, { kind: "failed", why: error.message }))
    worker.once("close", (code, signal) => this.#ended(job, judgeEnd(code, signal, talk)))
  }

  #ended(job: SalvageJob, end: WorkerEnd): void {
    if (job.state !== "salvaging") return
    this.#workers.delete(job)
    if (!this.#triesAgain(job, end)) this.#close(job, end)
    this.#board.changed()
    this.#startWorkers()
    if (this.#workers.size === 0) this.#idle?.()
  }

  /** True if another worker will try. */
  #triesAgain(job: SalvageJob, end: WorkerEnd): boolean {
    if (end.kind !== "brokenOff" || this.#stopping) return false
    const pauseMs = pauseAfter(end.cause, job.brokenOff + 1)
    if (pauseMs === undefined) return false
    this.schedule.postpone(job, end.why, this.#now() + pauseMs)
    const { volume, partition, brokenOff } = job
    this.#options.log.warn({ volume, partition, brokenOff, pauseMs, failure: end.why }, "salvage will be tried again")
    return true
  }

  #close(job: SalvageJob, end: WorkerEnd): void {
    const failure = end.kind === "done" ? undefined : end.why
    this.schedule.ended(job, failure, this.#now())
    const facts = { volume: job.volume, partition: job.partition, ms: this.#now() - (job.startedAt ?? 0) }
    if (failure === undefined) this.#options.log.info(facts, "salvage done")
    else this.#options.log.error({ ...facts, failure }, "salvage failed")
    if (this.#condemns(end)) this.#reportFailure(job)
    this.#remember(job)
  }

  /** A fileserver that was away finds the damage by itself, and one whose salvage server ends asks the next one. */
  #condemns(end: WorkerEnd): boolean {
    if (end.kind !== "brokenOff") return end.kind === "failed"
    return end.cause !== "noFileserver" && !this.#stopping
  }

  #remember(job: SalvageJob): void {
    const { stateDirectory, log } = this.#options
    if (stateDirectory === undefined) return
    appendHistory(nodeDisk, `${stateDirectory}/${salvageHistoryName}`, this.#viewOf(job), (err) => {
      log.warn({ volume: job.volume, err }, "the history of salvages cannot be written")
    })
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

/** The group that a volume's header names; undefined if there is no header that says it. */
function parentOf(partition: Partition, volume: number): number | undefined {
  const path = headerPath(partition, volume)
  try {
    const bytes = readHeaderBytes(partition, path)
    return bytes === undefined ? undefined : parseVolumeHeader(bytes, path).parent
  } catch (error) {
    if (error instanceof FormatError || isDiskError(error)) return undefined
    throw error
  }
}
