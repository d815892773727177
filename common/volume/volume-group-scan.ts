/**
 * Keeps the volume group cache of one partition: answers from it, and fills it by a scan of the volume headers that runs in
 * the background in short slices.
 *
 * A header that is short or has no magic may be one that is just being written. Writers hold the header lock for reading,
 * so the scan takes it for writing, waits for that if need be, and reads again. What is bad even then is renamed
 * aside, never removed: it may be the only trace of a volume. OpenAFS vol/vg_scan.c.
 */
import { setImmediate as nextTurn } from "node:timers/promises"
import { type Clock, secondsOf } from "../clock.ts"
import { isDiskError } from "../disk/disk.ts"
import { FormatError, isAfsError } from "../error.ts"
import { lockHeadersLater } from "../lock/header-lock.ts"
import { headerPath, listHeaderNames, type Partition } from "../partition/partition.ts"
import type { PackageLog } from "./package-context.ts"
import { type GroupAnswer, type GroupCacheState, type RemoveResult, VolumeGroupCache } from "./volume-group.ts"
import { parseVolumeHeader, readHeaderBytes, type VolumeHeader } from "./volume-header.ts"

/** The event loop is given back after so long, or after one header. */
const sliceMs = 2

/**
 * So long a scan waits for writers of headers, who need milliseconds: one that was stopped in the middle must not keep
 * salvagers waiting for the answer to VG_QUERY. The scan then fails, and they read the headers themselves.
 */
const writersWaitMs = 5_000

export type GroupQuery = GroupAnswer | { readonly kind: "failed" }

/** The volume groups of one partition. */
export class PartitionGroups {
  readonly partition: Partition
  readonly #cache = new VolumeGroupCache()
  readonly #clock: Clock
  readonly #log: PackageLog
  readonly #writersWaitMs: number
  readonly #stop = new AbortController()
  #scan: Promise<void> | undefined
  /** The last scan failed, and nobody has been told. */
  #failed = false

  constructor(partition: Partition, clock: Clock, log: PackageLog, waitMs = writersWaitMs) {
    this.partition = partition
    this.#writersWaitMs = waitMs
    this.#clock = clock
    this.#log = log
  }

  get state(): GroupCacheState {
    return this.#cache.state
  }

  /** Number of volumes known. */
  get size(): number {
    return this.#cache.size
  }

  /**
   * The group of a volume. Without a valid cache a scan is started and the answer is `scanning`. After a scan that failed
   * one query is told so, that nobody asks for ever; the next one starts another scan.
   */
  query(volume: number): GroupQuery {
    if (this.#failed) {
      this.#failed = false
      return { kind: "failed" }
    }
    if (this.#cache.state === "INVALID") this.startScan()
    return this.#cache.query(volume)
  }

  /** A header was made. False if what is known, and what is on disk, contradicts it. */
  add(parent: number, child: number): boolean {
    if (this.#cache.add(parent, child) === "stored") return true
    if (this.#parentOnDisk(child) !== parent) return false
    this.#cache.addSeen(parent, child)
    return this.#cache.state !== "VALID" || this.#cache.query(child).kind !== "unclear"
  }

  /** A header was removed. */
  remove(parent: number, child: number): RemoveResult {
    return this.#cache.remove(parent, child)
  }

  /** Starts a scan. False if one is running: that one is complete, too. */
  startScan(): boolean {
    if (this.#stop.signal.aborted || !this.#cache.beginScan()) return false
    this.#failed = false
    this.#scan = this.#run()
    return true
  }

  /** Resolves when no scan is running. */
  async idle(): Promise<void> {
    await this.#scan
  }

  /** Ends a running scan; no other one starts. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#scan
  }

  /** Never rejects: a failure ends in the log, and in the answer to the next query. */
  async #run(): Promise<void> {
    const started = this.#clock.now()
    const { name } = this.partition
    let complete = false
    try {
      complete = await this.#readHeaders()
    } catch (error) {
      this.#log.error({ partition: name, err: error }, "the scan for volume groups failed")
    }
    this.#cache.endScan(complete)
    this.#failed = !complete && !this.#stop.signal.aborted
    const ms = this.#clock.now() - started
    if (complete) this.#log.info({ partition: name, volumes: this.#cache.size, ms }, "volume groups are known")
  }

  /** True if every header was seen. */
  async #readHeaders(): Promise<boolean> {
    const suspects: string[] = []
    let complete = true
    let sliceEnd = performance.now() + sliceMs
    for (const { name } of listHeaderNames(this.partition, (name) => this.#skipped(name))) {
      const seen = this.#readHeader(name)
      if (seen === "suspect") suspects.push(name)
      if (seen === "unreadable") complete = false
      if (performance.now() < sliceEnd) continue
      await nextTurn()
      if (this.#stop.signal.aborted) return false
      sliceEnd = performance.now() + sliceMs
    }
    return (suspects.length === 0 || (await this.#judge(suspects))) && complete
  }

  #readHeader(name: string): "seen" | "suspect" | "unreadable" {
    try {
      const header = this.#parse(name)
      if (header !== undefined) this.#cache.found(header.parent === 0 ? header.id : header.parent, header.id)
      return "seen"
    } catch (error) {
      if (error instanceof FormatError) return "suspect"
      if (!isDiskError(error)) throw error
      if (isDiskError(error, "EISDIR")) return this.#skipped(name)
      this.#log.error(
        { partition: this.partition.name, path: this.#path(name), err: error },
        "volume header cannot be read",
      )
      return "unreadable"
    }
  }

  /** A folder is no header, and nobody is writing one there. */
  #skipped(name: string): "seen" {
    this.#log.warn(
      { partition: this.partition.name, path: this.#path(name) },
      "a directory has the name of a volume header: skipped",
    )
    return "seen"
  }

  /** Undefined for a file that is gone. */
  #parse(name: string): VolumeHeader | undefined {
    const path = this.#path(name)
    const bytes = readHeaderBytes(this.partition, path)
    if (bytes === undefined) return undefined
    const header = parseVolumeHeader(bytes, path)
    if (header.id === 0) throw new FormatError("volume header", { path, offset: 8 }, "volume id 0", "a volume id")
    return header
  }

  /** Reads what looked bad again, while nobody writes headers, and puts aside what still is. True if all were settled. */
  async #judge(suspects: readonly string[]): Promise<boolean> {
    try {
      using _lock = await lockHeadersLater(this.partition, "write", {
        who: "volume group scan",
        timeoutMs: this.#writersWaitMs,
        signal: this.#stop.signal,
      })
      let settled = true
      for (const name of suspects) {
        const seen = this.#readHeader(name)
        if (seen === "suspect") this.#putAside(name)
        if (seen === "unreadable") settled = false
      }
      return settled
    } catch (error) {
      if (isAfsError(error, "INTERRUPTED")) return false
      throw error
    }
  }

  #putAside(name: string): void {
    const aside = `${this.#path(name)}.bad-${secondsOf(this.#clock.now())}`
    this.partition.disk.rename(this.#path(name), aside)
    this.#log.error({ partition: this.partition.name, path: this.#path(name), aside }, "bad volume header put aside")
  }

  #path(name: string): string {
    return `${this.partition.path}/${name}`
  }

  /** The group that a volume's header names, or undefined if there is no good header. */
  #parentOnDisk(volume: number): number | undefined {
    const path = headerPath(this.partition, volume)
    try {
      const bytes = readHeaderBytes(this.partition, path)
      return bytes === undefined ? undefined : parseVolumeHeader(bytes, path).parent
    } catch (error) {
      if (error instanceof FormatError || isDiskError(error)) return undefined
      throw error
    }
  }
}
