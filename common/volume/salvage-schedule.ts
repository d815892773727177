/**
 * The fileserver's wishes for salvages: marks the volume, tells the salvage server in the background, and keeps telling it
 * until it listens: at each access of the volume, and from time to time. A fileserver without a salvage server serves
 * all that needs none. OpenAFS vol/volume.c (VRequestSalvage_r, VScheduleSalvage_r, VUpdateSalvagePriority_r).
 */
import { secondsOf } from "../clock.ts"
import { isDiskError } from "../disk/disk.ts"
import type { Partition } from "../partition/partition.ts"
import { drain, forget } from "./offline.ts"
import { factsOf, type PackageContext } from "./package-context.ts"
import type { SalvageReason, SalvageWish, ServerVolume } from "./server-volume.ts"

/** One message to the salvage server. */
export interface SalvageJob {
  readonly command: "SALVAGE" | "RAISEPRIO"
  readonly volume: number
  readonly partition: string
  readonly reason: SalvageReason
  readonly priority: number
}

/** The salvage server as the volume package sees it. */
export interface SalvageLink {
  /** True if it took the job; false, or a rejection, if it did not. Bounded in time. */
  request(job: SalvageJob): Promise<boolean>
}

/** A volume that was salvaged so often in this fileserver's life is beyond salvaging. OpenAFS's limit. */
export const salvagesMax = 16
/** The salvage server is told of a higher priority at most once in so long. */
const priorityIntervalMs = 3_000
/** What it did not take is offered again, also if nobody accesses the volume. */
const retryMs = 10_000

interface Deletion {
  readonly volume: number
  readonly partition: Partition
}

/** Salvages that the fileserver wants. */
export class SalvageSchedule {
  readonly #context: PackageContext
  readonly #server: SalvageLink | undefined
  /** Wanted, and not taken by the salvage server. */
  readonly #untaken = new Set<ServerVolume>()
  /** Volumes that are no longer known here and that a salvage is to remove from disk. */
  readonly #deletions = new Set<Deletion>()
  #cancelRetry: (() => void) | undefined
  #closed = false
  #silentSince = 0

  constructor(context: PackageContext, server: SalvageLink | undefined) {
    this.#context = context
    this.#server = server
  }

  /** Number of salvages that are wanted and that no salvage server has taken. */
  get waiting(): number {
    return this.#untaken.size + this.#deletions.size
  }

  /**
   * A volume needs a salvage. From an attach it goes to SALVAGING at once; an attached one first loses its users. After
   * `salvagesMax` salvages it goes to ERROR instead.
   */
  want(volume: ServerVolume, reason: SalvageReason): void {
    if (volume.salvage !== undefined) return
    const now = this.#context.clock.now()
    if (volume.statistics.salvages >= salvagesMax) {
      this.#giveUp(volume)
      return
    }
    volume.salvage = { reason, wantedAt: now, priority: 0, scheduled: false, toldAt: 0 }
    volume.statistics.lastSalvage = secondsOf(now)
    this.#context.log.warn({ ...factsOf(volume), reason }, "volume needs a salvage")
    if (volume.state === "ATTACHING" || volume.state === "OFFLINING") this.#begin(volume)
    else this.#stop(volume)
  }

  /** A volume that is made or deleted half-way, and forgotten here, is to be removed from disk. */
  wantDeletion(volume: number, partition: Partition): void {
    this.#deletions.add({ volume, partition })
    this.#context.log.warn({ volume, partition: partition.name }, "unfinished volume will be removed by a salvage")
    void this.#offerDeletions() // never rejects
  }

  /** Somebody was refused because of the salvage: it becomes more urgent, or is offered again. */
  refused(volume: ServerVolume): void {
    const wish = volume.salvage
    if (wish === undefined) return
    wish.priority++
    if (!wish.scheduled) this.#offer(volume)
    else if (this.#context.clock.now() - wish.toldAt > priorityIntervalMs) this.#raise(volume, wish)
  }

  /** A salvager has taken the volume: it needs no more asking. */
  started(volume: ServerVolume): void {
    if (volume.salvage === undefined) return
    volume.salvage.scheduled = true
    this.#untaken.delete(volume)
  }

  /** The salvage has ended, or is not wanted any more. */
  ended(volume: ServerVolume): void {
    volume.salvage = undefined
    this.#untaken.delete(volume)
  }

  close(): void {
    this.#closed = true
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
  }

  #giveUp(volume: ServerVolume): void {
    const facts = { ...factsOf(volume), salvages: volume.statistics.salvages }
    this.#context.log.error(
      facts,
      "volume was salvaged too often: it stays out of service until it is put online by hand",
    )
    forget(this.#context, volume)
    if (volume.state !== "ERROR") volume.cell.change("ERROR", this.#context.clock.now())
  }

  /** SALVAGE_REQ; the users leave; then the salvage may begin. */
  #stop(volume: ServerVolume): void {
    this.#markOnDisk(volume)
    volume.cell.change("SALVAGE_REQ", this.#context.clock.now())
    if (volume.users === 0) this.#leaveService(volume)
    else void this.#drain(volume) // never rejects
  }

  async #drain(volume: ServerVolume): Promise<void> {
    const options = { timeoutMs: this.#context.offlineTimeoutMs, code: "VBUSY" } as const
    await drain(this.#context, volume, "SALVAGE_REQ", options, (drained) => {
      if (drained) this.#leaveService(volume)
    })
  }

  #leaveService(volume: ServerVolume): void {
    volume.cell.change("OFFLINING", this.#context.clock.now())
    this.#begin(volume)
  }

  #begin(volume: ServerVolume): void {
    forget(this.#context, volume)
    volume.cell.change("SALVAGING", this.#context.clock.now())
    this.#offer(volume)
  }

  #markOnDisk(volume: ServerVolume): void {
    try {
      volume.attachment?.write(volume.partition, { needsSalvaged: 1 })
    } catch (error) {
      if (!isDiskError(error)) throw error
      this.#context.log.error({ ...factsOf(volume), err: error }, "volume cannot be marked for a salvage")
    }
  }

  #offer(volume: ServerVolume): void {
    const wish = volume.salvage
    if (wish === undefined || wish.scheduled || volume.state !== "SALVAGING" || this.#closed) return
    this.#untaken.add(volume)
    this.#retryLater()
    if (this.#server === undefined) return
    volume.cell.change("SALVSYNC_REQ", this.#context.clock.now())
    void this.#tell(volume, wish, "SALVAGE").then((taken) => this.#told(volume, wish, taken)) // #tell never rejects
  }

  #told(volume: ServerVolume, wish: SalvageWish, taken: boolean): void {
    const now = this.#context.clock.now()
    volume.cell.change("SALVAGING", now)
    if (!taken || volume.salvage !== wish) return
    wish.scheduled = true
    wish.toldAt = now
    this.#untaken.delete(volume)
    volume.statistics.salvages++
    volume.statistics.lastSalvageRequest = secondsOf(now)
    this.#context.totals.salvages++
  }

  #raise(volume: ServerVolume, wish: SalvageWish): void {
    const now = this.#context.clock.now()
    wish.toldAt = now
    volume.statistics.lastSalvageRequest = secondsOf(now)
    void this.#tell(volume, wish, "RAISEPRIO").then((taken) => {
      if (!taken) this.#untake(volume, wish)
    }) // #tell never rejects
  }

  /** A salvage server that is gone has forgotten what it took; who has the volume by now goes on without it. */
  #untake(volume: ServerVolume, wish: SalvageWish): void {
    if (volume.salvage !== wish || volume.operation !== undefined || this.#closed) return
    wish.scheduled = false
    this.#untaken.add(volume)
    this.#retryLater()
  }

  #tell(volume: ServerVolume, wish: SalvageWish, command: SalvageJob["command"]): Promise<boolean> {
    const { reason, priority } = wish
    return this.#request({ command, volume: volume.id, partition: volume.partition.name, reason, priority })
  }

  async #request(job: SalvageJob): Promise<boolean> {
    if (this.#server === undefined) return false
    try {
      const taken = await this.#server.request(job)
      if (!taken) this.#context.log.warn({ ...job }, "the salvage server refused a salvage")
      this.#silentSince = 0
      return taken
    } catch (error) {
      this.#reportSilence(job, error)
      return false
    }
  }

  /** Once per silence: every access of every damaged volume meets it. */
  #reportSilence(job: SalvageJob, error: unknown): void {
    if (this.#silentSince !== 0) return
    this.#silentSince = this.#context.clock.now()
    this.#context.log.warn({ ...job, err: error }, "no salvage server answers: salvages wait until one does")
  }

  #retryLater(): void {
    if (this.#closed || this.#cancelRetry !== undefined || this.waiting === 0) return
    this.#cancelRetry = this.#context.clock.after(retryMs, () => {
      this.#cancelRetry = undefined
      for (const volume of [...this.#untaken]) this.#offer(volume)
      void this.#offerDeletions() // never rejects
      this.#retryLater()
    })
  }

  async #offerDeletions(): Promise<void> {
    this.#retryLater()
    for (const deletion of [...this.#deletions]) {
      const { volume, partition } = deletion
      const job = { command: "SALVAGE", volume, partition: partition.name, reason: "ERROR", priority: 0 } as const
      if (await this.#request(job)) this.#deletions.delete(deletion)
    }
  }
}
