/**
 * The jobs of a volserver: who runs, who waits for its turn, and which job has which volume. Pure: time and processes are
 * the caller's. At most one job has a volume on a partition; OpenAFS's volserver calls that a transaction.
 */
import type { JobStatus } from "./job-messages.ts"
import type { Progress } from "./pace.ts"

/** Jobs that run at a time, unless told otherwise. */
export const runningJobsMax = 16
/** Jobs that may wait; more are refused. */
const waitingJobsMax = 1000

/** One job. */
export interface Job {
  readonly number: number
  readonly command: string
  /** Seconds since 1970. */
  readonly since: number
  state: "waiting" | "running"
  pid: number | undefined
  progress: Progress | undefined
}

const keyOf = (partition: string, volume: number): string => `${volume} ${partition}`

export class JobTable {
  readonly #runningMax: number
  /** In the order in which they came. */
  readonly #jobs = new Map<number, Job>()
  /** Job numbers by volume and partition. */
  readonly #volumes = new Map<string, number>()
  #lastNumber = 0

  constructor(runningMax: number = runningJobsMax) {
    this.#runningMax = runningMax
  }

  get count(): number {
    return this.#jobs.size
  }

  get(number: number): Job | undefined {
    return this.#jobs.get(number)
  }

  /** Undefined if too many wait already. */
  add(command: string, since: number): Job | undefined {
    const waiting = [...this.#jobs.values()].filter(({ state }) => state === "waiting").length
    if (waiting >= waitingJobsMax) return undefined
    const job: Job = {
      number: ++this.#lastNumber,
      command,
      since,
      state: "waiting",
      pid: undefined,
      progress: undefined,
    }
    this.#jobs.set(job.number, job)
    return job
  }

  /** The next job whose turn it is; it counts as running from now on. */
  nextToRun(): Job | undefined {
    const jobs = [...this.#jobs.values()]
    if (jobs.filter(({ state }) => state === "running").length >= this.#runningMax) return undefined
    const next = jobs.find(({ state }) => state === "waiting")
    if (next !== undefined) next.state = "running"
    return next
  }

  /** Ends a job; its volumes are free. */
  remove(number: number): void {
    this.#jobs.delete(number)
    for (const [key, holder] of this.#volumes) if (holder === number) this.#volumes.delete(key)
  }

  /** Gives a volume to a job. @returns undefined, or the job that has it */
  reserve(number: number, partition: string, volume: number): Job | undefined {
    const key = keyOf(partition, volume)
    const holder = this.#volumes.get(key)
    if (holder !== undefined) return this.#jobs.get(holder)
    this.#volumes.set(key, number)
    return undefined
  }

  release(number: number, partition: string, volume: number): void {
    const key = keyOf(partition, volume)
    if (this.#volumes.get(key) === number) this.#volumes.delete(key)
  }

  status(): JobStatus[] {
    return [...this.#jobs.values()].map(({ number: job, command, pid, since, progress }) => {
      const volumes = [...this.#volumes].filter(([, holder]) => holder === job).map(([key]) => key)
      return { job, command, pid, since, volumes, progress }
    })
  }
}
