/**
 * The volserver: runs the subcommands of `dafs vos` for others, each in a worker process, and knows which has which volume.
 * It never touches a volume itself, so nothing it does can wait for a disk.
 */
import { type ChildProcess, fork } from "node:child_process"
import { resolve } from "node:path"
import type { Logger } from "../common/log.ts"
import { reportOnRequest } from "../common/log-signals.ts"
import { fullPartitionName, type Partition } from "../common/partition/partition.ts"
import { type JsonChannel, type JsonServer, listenJson } from "../fssync/json-channel.ts"
import {
  type ClientMessage,
  clientMessage,
  type Failure,
  type RunMessage,
  type ServerMessage,
  volserverSocketName,
  type WorkerMessage,
  workerMessage,
} from "./job-messages.ts"
import { type Job, JobTable } from "./job-table.ts"

export interface VolserverOptions {
  /** Those that jobs may name; jobs that name none get all. */
  readonly partitions: readonly Partition[]
  readonly stateDirectory: string
  readonly parallel: number
  /** Program and first arguments that make a process a worker. */
  readonly worker: readonly [program: string, ...words: string[]]
  readonly log: Logger
}

interface Running {
  readonly job: Job
  readonly request: RunMessage
  readonly client: JsonChannel
  child: ChildProcess | undefined
  /** It has sent its result. */
  isDone: boolean
}

/** What a request says of partitions; undefined if nothing. */
function wantedPartitions({ values }: RunMessage): string[] | undefined {
  const words = values["partition"]
  return Array.isArray(words) ? words.map(String) : undefined
}

/** Workers that do not end after a signal are killed; what they leave a salvage mends. */
const stopGraceMs = 30_000

export class Volserver implements AsyncDisposable {
  readonly #options: VolserverOptions
  readonly #table: JobTable
  readonly #running = new Map<number, Running>()
  #server: JsonServer | undefined
  #report: Disposable | undefined
  #allEnded: (() => void) | undefined

  constructor(options: VolserverOptions) {
    this.#options = options
    this.#table = new JobTable(options.parallel)
  }

  /** @throws AfsError VBUSY if another volserver answers on the socket */
  async listen(): Promise<void> {
    const path = `${this.#options.stateDirectory}/${volserverSocketName}`
    this.#server = await listenJson(path, "volserver", (channel) => this.#accept(channel))
    this.#report = reportOnRequest(this.#options.log, () => ({ jobs: this.#table.status() }))
  }

  /** Ends every job as an interrupt would, and waits for that. */
  async close(): Promise<void> {
    this.#report?.[Symbol.dispose]()
    const ended = new Promise<void>((resolve) => {
      this.#allEnded = resolve
    })
    for (const { job } of [...this.#running.values()]) this.#cancel(job.number)
    const timer = setTimeout(() => this.#killAll(), stopGraceMs)
    if (this.#running.size > 0) await ended
    clearTimeout(timer)
    await this.#server?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #accept(channel: JsonChannel): void {
    channel.listen({
      message: (message) => {
        const known = clientMessage(message)
        if (known === undefined) throw new Error("no message of a client")
        this.#answer(channel, known)
      },
      closed: () => undefined, // jobs go on: they belong to nobody
    })
  }

  #answer(client: JsonChannel, message: ClientMessage): void {
    switch (message.type) {
      case "run":
        this.#add(client, message)
        return
      case "cancel":
        send(client, { type: "cancelled", job: message.job, found: this.#cancel(message.job) })
        return
      case "status":
        send(client, { type: "status", jobs: this.#table.status() })
    }
  }

  #add(client: JsonChannel, request: RunMessage): void {
    const refusal = this.#refusal(request)
    const job = refusal === undefined ? this.#table.add(request.command, Math.floor(Date.now() / 1000)) : undefined
    if (job === undefined) {
      const tooMany: Failure = { code: "VBUSY", message: "too many jobs wait already", exit: 11 }
      send(client, { type: "failed", ...(refusal ?? tooMany) })
      return
    }
    this.#running.set(job.number, { job, request, client, child: undefined, isDone: false })
    send(client, { type: "started", job: job.number })
    this.#startNext()
  }

  #startNext(): void {
    for (let job = this.#table.nextToRun(); job !== undefined; job = this.#table.nextToRun()) {
      const running = this.#running.get(job.number)
      if (running !== undefined) this.#start(running)
    }
  }

  #start(running: Running): void {
    const { job, request } = running
    const [program, ...words] = this.#options.worker
    const child = fork(program, words, { cwd: request.cwd, stdio: ["ignore", "ignore", "inherit", "ipc"] })
    running.child = child
    job.pid = child.pid
    child.on("message", (message: unknown) => this.#heard(running, workerMessage(message)))
    child.once("error", (error) => this.#ended(running, error.message))
    child.once("exit", (code, signal) => this.#ended(running, `its process ended with ${signal ?? `status ${code}`}`))
    child.send({ command: request.command, values: this.#valuesOf(request) }, () => undefined)
    this.#options.log.info({ job: job.number, op: request.command, pid: child.pid }, "job started")
  }

  /** The volserver says where; a job may only choose among its partitions. */
  #valuesOf(request: RunMessage): Readonly<Record<string, unknown>> {
    const { partitions, stateDirectory } = this.#options
    const wanted = wantedPartitions(request)?.map((word) => this.#find(word, request.cwd))
    const chosen = partitions.filter((partition) => wanted?.includes(partition) ?? true)
    return {
      ...request.values,
      partition: chosen.map(({ path }) => path),
      "state-dir": resolve(stateDirectory), // jobs run in their clients' folders
      volserver: false,
    }
  }

  /** The partition that people mean by a word typed in the folder `cwd`: a path there, else a name. */
  #find(word: string, cwd: string): Partition | undefined {
    const { partitions } = this.#options
    const path = resolve(cwd, word)
    return (
      partitions.find((partition) => partition.path === path) ??
      partitions.find(({ name }) => name === fullPartitionName(word))
    )
  }

  /** Why a request cannot become a job; undefined if it can. */
  #refusal(request: RunMessage): Failure | undefined {
    if (this.#allEnded !== undefined) return { code: "VBUSY", message: "the volserver is stopping", exit: 11 }
    const unknown = wantedPartitions(request)?.find((word) => this.#find(word, request.cwd) === undefined)
    if (unknown === undefined) return undefined
    const names = this.#options.partitions.map(({ path }) => path).join(", ")
    return { code: "ENOENT", message: `the volserver works on ${names}, not on ${JSON.stringify(unknown)}`, exit: 10 }
  }

  #heard(running: Running, message: WorkerMessage | undefined): void {
    const { job, client, child } = running
    switch (message?.type) {
      case "reserve": {
        const holder = this.#table.reserve(job.number, message.partition, message.volume)
        const who = holder === undefined ? undefined : `job ${holder.number} (${holder.command}, pid ${holder.pid})`
        child?.send({ type: "reserved", id: message.id, holder: who }, () => undefined)
        return
      }
      case "release":
        this.#table.release(job.number, message.partition, message.volume)
        return
      case "progress":
        job.progress = { unit: message.unit, done: message.done, total: message.total }
        send(client, message)
        return
      case "done":
      case "failed":
        running.isDone = true
        this.#log(running, message)
        send(client, message)
        return
      case "notice":
        send(client, message)
        return
      case undefined:
        return
    }
  }

  #log({ job }: Running, message: Extract<WorkerMessage, { type: "done" | "failed" }>): void {
    const facts = { job: job.number, op: job.command }
    if (message.type === "done") this.#options.log.info(facts, "job done")
    else this.#options.log.warn({ ...facts, code: message.code, why: message.message }, "job failed")
  }

  #ended(running: Running, how: string): void {
    const { job, client } = running
    if (!this.#running.delete(job.number)) return
    this.#table.remove(job.number)
    if (!running.isDone) {
      const message = `${job.command}: ${how} before it was done`
      this.#log(running, { type: "failed", code: undefined, message, exit: 1 })
      send(client, { type: "failed", code: undefined, message, exit: 1 })
    }
    this.#startNext()
    if (this.#running.size === 0) this.#allEnded?.()
  }

  #cancel(number: number): boolean {
    const running = this.#running.get(number)
    if (running === undefined) return false
    if (running.child === undefined) this.#ended(running, "it was cancelled")
    else running.child.kill("SIGTERM")
    return true
  }

  #killAll(): void {
    for (const { child } of this.#running.values()) child?.kill("SIGKILL")
  }
}

function send(channel: JsonChannel, message: ServerMessage): void {
  channel.send(message)
}
