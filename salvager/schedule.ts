/**
 * The salvage server's queue, pure: which volumes wait for a salvage, in which order, and which are being salvaged.
 *
 *                              ┌──postponed──┐
 *                              ▼             │
 *     unknown ──salvage──► queued ──start──► salvaging ──ended──► done | error
 *        ▲                   │ ▲                                     │
 *        └─────cancel────────┘ └──────────────salvage────────────────┘
 *
 * One job per volume group: a clone that was linked to its group stands for the group from then on. Order within a
 * partition is by priority; partitions without a running salvage are served first, in turn.
 * OpenAFS vol/salvsync-server.c; the answers a client sees are the same.
 */

export const salvageStates = { unknown: 0, queued: 1, salvaging: 2, error: 3, done: 4 } as const
export type SalvageState = keyof typeof salvageStates

/** One volume that somebody asked to salvage; kept for the life of the server. */
export interface SalvageJob {
  readonly volume: number
  readonly partition: string
  state: SalvageState
  priority: number
  /** The group's job, once this volume is known to be a clone. */
  group: SalvageJob | undefined
  /** `salvsyncReasons` number of the latest request. */
  reason: number
  /** Milliseconds since 1970; undefined before it happened. */
  requestedAt: number | undefined
  startedAt: number | undefined
  endedAt: number | undefined
  /** Why the latest salvage failed. */
  failure: string | undefined
  salvages: number
  /** Workers that broke off since it was asked for: it waits for the next one. */
  brokenOff: number
  /** Not to be started before this time. */
  notBefore: number
}

/** Partitions' queues, the jobs they hold and what runs. Time is an argument (milliseconds since 1970). */
export class SalvageSchedule {
  readonly #jobs = new Map<string, SalvageJob>()
  readonly #queues = new Map<string, SalvageJob[]>()
  readonly #running = new Set<SalvageJob>()
  /** Partition served last, for taking turns. */
  #served = ""

  get queuedCount(): number {
    let count = 0
    for (const queue of this.#queues.values()) count += queue.length
    return count
  }

  get runningCount(): number {
    return this.#running.size
  }

  /** All jobs ever asked for. */
  jobs(): Iterable<SalvageJob> {
    return this.#jobs.values()
  }

  /** The job of this volume itself, even when it is linked to a group. */
  find(volume: number, partition: string): SalvageJob | undefined {
    return this.#jobs.get(key(volume, partition))
  }

  /** The job that stands for this volume: its group's if it is a linked clone. */
  standingFor(volume: number, partition: string): SalvageJob | undefined {
    const job = this.find(volume, partition)
    return job?.group ?? job
  }

  /**
   * Asks for a salvage, or raises the priority of one that waits. Priority only grows while a job waits or runs; a fresh
   * request starts from 0.
   */
  request(volume: number, partition: string, priority: number, reason: number, now: number): SalvageJob {
    const own = this.#jobFor(volume, partition)
    const job = own.group ?? own
    const fresh = job.state !== "queued" && job.state !== "salvaging"
    const before = fresh ? 0 : job.priority
    job.priority = priority >= before ? priority : before + 1
    job.reason = reason
    if (job.state === "salvaging") return job
    if (fresh) this.#begin(job, now)
    this.#enqueue(job)
    return job
  }

  /** Takes a waiting job out of the queue. A running salvage is not affected. @returns the state before. */
  cancel(volume: number, partition: string): SalvageState {
    const job = this.find(volume, partition)
    if (job === undefined) return "unknown"
    const before = job.state
    if (before === "queued" && job.group === undefined) {
      this.#dequeue(job)
      job.state = "unknown"
    }
    return before
  }

  /** Empties all queues. */
  cancelAll(): void {
    for (const queue of this.#queues.values()) for (const job of queue.splice(0)) job.state = "unknown"
  }

  /**
   * Records that `volume` is a clone in the group of `parent`. If the clone waited or was being salvaged, the group is
   * queued with its priority; it starts only after the linking worker has ended (see `ended`).
   * @returns false if the clone was never asked for, or the "parent" is itself a linked clone.
   */
  link(volume: number, parent: number, partition: string, now: number): boolean {
    const clone = this.find(volume, partition)
    const group = this.#jobFor(parent, partition)
    if (clone === undefined || clone === group || group.group !== undefined) return false
    const wanted = clone.state === "queued" || clone.state === "salvaging"
    if (clone.state === "queued") this.#dequeue(clone)
    if (clone.state === "queued") clone.state = "unknown"
    clone.group = group
    if (wanted && group.state !== "salvaging") {
      group.priority = group.state === "queued" ? Math.max(group.priority, clone.priority) : clone.priority
      this.#begin(group, now)
      this.#enqueue(group)
    }
    return true
  }

  /**
   * Takes the next job to run, or undefined if none may run now. A group whose linked clone is still being salvaged has
   * to wait for that worker, which holds the clone's lock; one that was postponed, for its time.
   */
  take(now: number): SalvageJob | undefined {
    for (const partition of this.#partitionsInTurn()) {
      const queue = this.#queues.get(partition) ?? []
      const job = queue.find((candidate) => candidate.notBefore <= now && !this.#waitsForClone(candidate))
      if (job === undefined) continue
      this.#served = partition
      this.#dequeue(job)
      job.state = "salvaging"
      job.startedAt = now
      job.endedAt = undefined
      job.failure = undefined
      this.#running.add(job)
      return job
    }
    return undefined
  }

  /** The worker broke off, and another one shall try from `notBefore` on. */
  postpone(job: SalvageJob, failure: string, notBefore: number): void {
    this.#running.delete(job)
    job.failure = failure
    job.brokenOff++
    job.notBefore = notBefore
    this.#enqueue(job)
  }

  /** When the next of the postponed jobs may start; undefined if all that wait may start now. */
  nextDue(now: number): number | undefined {
    let due: number | undefined
    for (const queue of this.#queues.values())
      for (const { notBefore } of queue) if (notBefore > now && notBefore < (due ?? Infinity)) due = notBefore
    return due
  }

  /** A worker ended: with `failure`, or well. A clone that was linked meanwhile stands for its group from now on. */
  ended(job: SalvageJob, failure: string | undefined, now: number): void {
    this.#running.delete(job)
    job.state = failure === undefined ? "done" : "error"
    job.failure = failure
    job.endedAt = now
    job.salvages++
  }

  #jobFor(volume: number, partition: string): SalvageJob {
    const known = this.find(volume, partition)
    if (known !== undefined) return known
    const job: SalvageJob = {
      volume,
      partition,
      state: "unknown",
      priority: 0,
      group: undefined,
      reason: 0,
      requestedAt: undefined,
      startedAt: undefined,
      endedAt: undefined,
      failure: undefined,
      salvages: 0,
      brokenOff: 0,
      notBefore: 0,
    }
    this.#jobs.set(key(volume, partition), job)
    return job
  }

  /** Whatever came before, this request is a new one. */
  #begin(job: SalvageJob, now: number): void {
    job.requestedAt = now
    job.brokenOff = 0
    job.notBefore = 0
  }

  /**
   * A new job goes to the end, unless its priority is greater than the last one's: then before all of equal or lower
   * priority. A job that waits already is placed anew.
   */
  #enqueue(job: SalvageJob): void {
    this.#dequeue(job)
    const queue = this.#queues.get(job.partition) ?? []
    this.#queues.set(job.partition, queue)
    job.state = "queued"
    const last = queue.at(-1)
    const place =
      last === undefined || job.priority <= last.priority
        ? -1
        : queue.findIndex((other) => other.priority <= job.priority)
    if (place < 0) queue.push(job)
    else queue.splice(place, 0, job)
  }

  #dequeue(job: SalvageJob): void {
    const queue = this.#queues.get(job.partition)
    const place = queue?.indexOf(job) ?? -1
    if (place >= 0) queue?.splice(place, 1)
  }

  #waitsForClone(job: SalvageJob): boolean {
    for (const running of this.#running) if (running.group === job) return true
    return false
  }

  /** Partitions with waiting jobs: those where nothing runs first, each kind in turn after the one served last. */
  #partitionsInTurn(): string[] {
    const waiting = [...this.#queues].filter(([, queue]) => queue.length > 0).map(([partition]) => partition)
    const turn = [
      ...waiting.filter((name) => name > this.#served).sort(),
      ...waiting.filter((name) => name <= this.#served).sort(),
    ]
    const busy = new Set([...this.#running].map((job) => job.partition))
    return [...turn.filter((name) => !busy.has(name)), ...turn.filter((name) => busy.has(name))]
  }
}

const key = (volume: number, partition: string): string => `${volume} ${partition}`
