/**
 * Having a whole volume group: every member checked out of the fileserver, locked and verified, and all given back at the
 * end, whatever the end is.
 *
 * The members are those that lie on the disk, and those that the fileserver's volume group cache knows: a salvage that
 * overlooked one would take its files for nobody's. OpenAFS asks the cache alone.
 */
import { setTimeout as delay } from "node:timers/promises"
import { isDiskError } from "../common/disk/disk.ts"
import type { FileEntry } from "../common/disk/folder-reader.ts"
import { AfsError, isAfsError } from "../common/error.ts"
import { volumeLockPath } from "../common/lock/lock-path.ts"
import { programOf } from "../common/lock/process-name.ts"
import { InodeStore } from "../common/partition/inode-store.ts"
import type { Partition } from "../common/partition/partition.ts"
import { programTypeName } from "../common/protocol/codes.ts"
import { fssyncReasons, responses } from "../fssync/message.ts"
import { type Claimant, checkOutVolume, VolumeCheckout } from "../fssync/volume-checkout.ts"
import type { Survey } from "./survey.ts"

/** Pauses while the fileserver still reads the partition's headers, in seconds; the last one repeats. */
const scanPauses = [0.1, 0.2, 0.5, 1, 2, 5, 10]

/** Partitions of which it has been said that their volumes cannot be locked. */
const unlockable = new WeakSet<Partition>()

export interface HoldOptions {
  readonly claimant: Claimant
  /** Locks are taken only where their file exists already: nothing is written. */
  readonly readOnly: boolean
  readonly signal?: AbortSignal | undefined
}

/** What a salvage made of the members. */
export interface HoldOutcome {
  readonly deleted: readonly number[]
  readonly created: readonly number[]
  readonly changed: readonly number[]
}

export class GroupHold {
  readonly partition: Partition
  readonly group: number
  readonly #survey: Survey
  readonly #options: HoldOptions
  readonly #checkouts = new Map<number, VolumeCheckout>()
  #special: readonly FileEntry[] = []
  /** Members of which something lies on the disk. */
  #onDisk: readonly number[] = []
  /** Members that the fileserver's cache lists; undefined if there is no fileserver, or it could not tell. */
  #listed: ReadonlySet<number> | undefined

  private constructor(survey: Survey, group: number, options: HoldOptions) {
    this.partition = survey.partition
    this.group = group
    this.#survey = survey
    this.#options = options
  }

  /**
   * Takes all members of a group, the one that was asked for first.
   * @throws AfsError LOCKED or VBUSY, naming who has a member; INTERRUPTED by the signal: then none is held
   */
  static async take(survey: Survey, group: number, first: number, options: HoldOptions): Promise<GroupHold> {
    const hold = new GroupHold(survey, group, options)
    try {
      await hold.#take(first)
      for (const member of await hold.#askMembers(first)) await hold.#take(member)
      // a member may have come into being before the last lock was ours
      for (hold.#look(); hold.#onDisk.some((id) => !hold.has(id)); hold.#look())
        for (const member of hold.#onDisk) await hold.#take(member)
      return hold
    } catch (error) {
      await hold.abort()
      throw error
    }
  }

  #look(): void {
    this.#special = new InodeStore(this.partition, this.group).specialFiles()
    this.#onDisk = this.#survey.membersOf(this.group, this.#special)
  }

  /** What lies in the group's folder of special files, since all members are held. */
  get special(): readonly FileEntry[] {
    return this.#special
  }

  has(volume: number): boolean {
    return this.#checkouts.has(volume)
  }

  get members(): readonly number[] {
    return [...this.#checkouts.keys()]
  }

  /** Gives everything back as it was: nothing was done, or it went wrong. */
  async abort(): Promise<void> {
    for (const checkout of this.#checkouts.values()) checkout.unlock()
    for (const checkout of this.#checkouts.values()) await checkout.end("on")
  }

  /** Tells the fileserver what became of the members, and gives them back. */
  async end(outcome: HoldOutcome): Promise<void> {
    const isSame = outcome.deleted.length === 0 && outcome.created.length === 0
    const existing = new Set(isSame ? this.#onDisk : this.#survey.forGroup(this.group).membersOf(this.group))
    await this.#tellGroup(outcome, existing)
    for (const checkout of this.#checkouts.values()) checkout.unlock()
    for (const [volume, checkout] of this.#checkouts) await checkout.end(existing.has(volume) ? "on" : "done")
  }

  async #take(volume: number): Promise<void> {
    if (this.has(volume)) return
    this.#checkouts.set(volume, await this.#checkOut(volume))
  }

  async #checkOut(volume: number): Promise<VolumeCheckout> {
    const { claimant, readOnly } = this.#options
    if (readOnly && this.partition.disk.stat(volumeLockPath(this.partition)) === undefined)
      return this.#claimOnly(volume)
    try {
      return await checkOutVolume(claimant, this.partition, volume)
    } catch (error) {
      if (readOnly && isDiskError(error, "EROFS")) return await this.#holdUnlocked(volume, error)
      throw isAfsError(error, "VBUSY", "DENIED") ? await this.#named(error, volume) : error
    }
  }

  /** Nothing can be locked on a file system that is mounted read-only: others may write to it by way of another mount. */
  async #holdUnlocked(volume: number, { message }: Error): Promise<VolumeCheckout> {
    if (!unlockable.has(this.partition)) this.#options.claimant.report?.({ type: "notLocked", volume, why: message })
    unlockable.add(this.partition)
    return this.#claimOnly(volume)
  }

  /** Nobody can hold a lock in a file that does not exist. */
  async #claimOnly(volume: number): Promise<VolumeCheckout> {
    const checkout = new VolumeCheckout(this.#options.claimant, this.partition, volume, undefined)
    await checkout.claim()
    return checkout
  }

  /** The error, with who has the volume checked out. */
  async #named(error: AfsError, volume: number): Promise<AfsError> {
    const answer = await this.#options.claimant.fileserver?.queryVolumeOperation(volume, this.partition.name)
    const owner = answer?.payload?.request
    if (owner === undefined) return error
    const holder = `pid ${owner.pid} (${programOf(owner.pid) ?? programTypeName(owner.programType)})`
    return new AfsError(
      "VBUSY",
      "checkOut",
      { volume, partition: this.partition.name, holder },
      { cause: error, detail: "it is checked out" },
    )
  }

  /** The members as the fileserver knows them; waits while it reads the partition. */
  async #askMembers(volume: number): Promise<readonly number[]> {
    const { fileserver } = this.#options.claimant
    if (fileserver === undefined) return []
    for (let round = 0; ; round++) {
      const answer = await fileserver.groupQuery(volume, this.partition.name)
      if (answer.response === responses.OK) {
        const members = answer.payload?.members ?? []
        this.#listed = new Set(members)
        return members.filter((member) => member !== 0)
      }
      if (answer.reason === fssyncReasons.UNKNOWN_VOLID) this.#listed = new Set()
      if (answer.reason !== fssyncReasons.PART_SCANNING) return []
      await this.#pause(scanPauses[Math.min(round, scanPauses.length - 1)] ?? 1)
    }
  }

  /** @throws AfsError INTERRUPTED */
  async #pause(seconds: number): Promise<void> {
    const { signal } = this.#options
    try {
      await delay(1000 * seconds, undefined, signal === undefined ? {} : { signal })
    } catch (cause) {
      if (signal?.aborted !== true) throw cause
      throw new AfsError("INTERRUPTED", "checkOut", { volume: this.group, partition: this.partition.name }, { cause })
    }
  }

  /** Header files that came and went, and contents that changed. A fileserver that is gone by now reads it all anew. */
  async #tellGroup({ deleted, created, changed }: HoldOutcome, existing: ReadonlySet<number>): Promise<void> {
    const { fileserver, report } = this.#options.claimant
    if (fileserver === undefined) return
    const unlisted = this.#listed === undefined ? [] : this.members.filter((id) => this.#listed?.has(id) === false)
    try {
      for (const volume of deleted) await fileserver.groupDelete(this.group, volume, this.partition.name)
      for (const volume of new Set([...created, ...unlisted]))
        if (existing.has(volume)) await fileserver.groupAdd(this.group, volume, this.partition.name)
      for (const volume of changed) await fileserver.breakCallbacks(volume, this.partition.name)
    } catch (error) {
      if (!isAfsError(error, "UNREACHABLE")) throw error
      report?.({ type: "notCheckedIn", volume: this.group, why: error.message })
    }
  }
}
