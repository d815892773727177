/**
 * A volume as its fileserver knows it: where it is, its state, its VolumeInfo while it is attached, who uses it and who has
 * checked it out. Data with the few rules that keep it whole; what is done with it is in the files beside this one.
 */
import type { Millis } from "../clock.ts"
import { AfsError } from "../error.ts"
import type { Partition } from "../partition/partition.ts"
import type { Code } from "../protocol/codes.ts"
import { type Ranked, RecencyList } from "../recency-list.ts"
import { AttachedVolume } from "./attached-volume.ts"
import type { Attachment } from "./attachment.ts"
import type { PendingOperation } from "./checkout.ts"
import type { SpecialStatus } from "./client-access.ts"
import type { ServingCaches } from "./serving-caches.ts"
import type { Generation, LruMember } from "./volume-lru.ts"
import { VolumeStateCell } from "./volume-state.ts"

/** Why a salvage is wanted: damage met while the volume was in use (or by request), or a mark found at attach. */
export type SalvageReason = "ERROR" | "NEEDED"

/** A salvage that was asked for and has not ended. */
export interface SalvageWish {
  readonly reason: SalvageReason
  readonly wantedAt: Millis
  /** Grows with each access that was refused because of it. */
  priority: number
  /** The salvage server has taken the request. */
  scheduled: boolean
  /** When it was last told, 0 = never. */
  toldAt: Millis
}

/** Counters of one volume; times in seconds since 1970, 0 = never. */
export interface VolumeStatistics {
  lookups: number
  headerLoads: number
  headerGets: number
  attaches: number
  softDetaches: number
  salvages: number
  operations: number
  lastAttach: number
  lastHeaderGet: number
  lastHeaderLoad: number
  lastSalvage: number
  lastSalvageRequest: number
  lastOperation: number
}

function noStatistics(): VolumeStatistics {
  return {
    lookups: 0,
    headerLoads: 0,
    headerGets: 0,
    attaches: 0,
    softDetaches: 0,
    salvages: 0,
    operations: 0,
    lastAttach: 0,
    lastHeaderGet: 0,
    lastHeaderLoad: 0,
    lastSalvage: 0,
    lastSalvageRequest: 0,
    lastOperation: 0,
  }
}

/** One user of an attached volume, from `acquire` to `release`. */
export class VolumeUse implements Disposable, Ranked<VolumeUse> {
  readonly volume: ServerVolume
  readonly attachment: Attachment
  /** For the volume: the neighbours in its list of users. */
  older: VolumeUse | undefined
  newer: VolumeUse | undefined
  weight = 1
  readonly #caches: ServingCaches | undefined
  /** Called once when the user is asked to end, for users without a need of `signal`. */
  onAbort: (() => void) | undefined
  #abort: AbortController | undefined
  #abortCode: Code | undefined
  #over = false

  constructor(volume: ServerVolume, attachment: Attachment, caches?: ServingCaches) {
    this.volume = volume
    this.attachment = attachment
    this.#caches = caches
    volume.enter(this)
  }

  /** The volume's vnodes and data. @throws AfsError VOFFLINE if the volume was taken from under its users */
  get attached(): AttachedVolume {
    const { volume, attachment } = this
    const caches = this.#caches
    if (volume.attachment !== attachment || caches === undefined) {
      throw new AfsError(this.#abortCode ?? "VOFFLINE", "use", { volume: volume.id, partition: volume.partition.name })
    }
    volume.attached ??= new AttachedVolume(volume.id, volume.partition, attachment, caches)
    return volume.attached
  }

  /** Aborted when the volume has to go offline and waited long enough; `abortCode` is then what the client gets. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#abortCode !== undefined) this.#abort.abort(this.#abortCode)
    }
    return this.#abort.signal
  }

  get abortCode(): Code | undefined {
    return this.#abortCode
  }

  /** Asks the user to end. */
  abort(code: Code): void {
    if (this.#over || this.#abortCode !== undefined) return
    this.#abortCode = code
    this.#abort?.abort(code)
    this.onAbort?.()
  }

  /** Ends the use; the last one out lets the volume go on. A second call does nothing. */
  release(): void {
    if (this.#over) return
    this.#over = true
    this.volume.leave(this)
  }

  [Symbol.dispose](): void {
    this.release()
  }
}

/** One volume of a fileserver. */
export class ServerVolume implements LruMember<ServerVolume> {
  readonly id: number
  partition: Partition
  readonly cell: VolumeStateCell
  readonly statistics = noStatistics()
  /** Present while the volume is attached or in use. */
  attachment: Attachment | undefined
  /** Its vnodes and data, from the first use of these until it is detached. */
  attached: AttachedVolume | undefined
  /** The checkout that has not been given back. */
  operation: PendingOperation | undefined
  specialStatus: SpecialStatus | undefined
  salvage: SalvageWish | undefined
  /** Attaching is not tried before this time: somebody held the lock. */
  holdOffUntil: Millis = 0
  /** For the VLRU: its generation, and the neighbours there. */
  generation: Generation = "none"
  older: ServerVolume | undefined
  newer: ServerVolume | undefined
  weight = 1
  lastGet: Millis = 0
  lastPromote: Millis = 0
  /** From the first use on. Each weighs 1. */
  #uses: RecencyList<VolumeUse> | undefined

  constructor(id: number, partition: Partition, now: Millis) {
    this.id = id
    this.partition = partition
    this.cell = new VolumeStateCell("PREATTACHED", now)
  }

  get state(): VolumeStateCell["state"] {
    return this.cell.state
  }

  get users(): number {
    return this.#uses?.weight ?? 0
  }

  /** Nobody uses it, waits for it or has it checked out: it may be detached to save memory. */
  get isIdle(): boolean {
    return this.users === 0 && this.cell.waiting === 0 && this.state === "ATTACHED" && this.operation === undefined
  }

  get salvageWanted(): boolean {
    return this.salvage !== undefined
  }

  get salvageWantedAt(): Millis | undefined {
    return this.salvage?.wantedAt
  }

  get readWrite(): boolean {
    return this.attachment?.readWrite ?? false
  }

  get flags(): Attachment | undefined {
    return this.attachment
  }

  enter(use: VolumeUse): void {
    this.#uses ??= new RecencyList()
    this.#uses.add(use)
  }

  /** Once for each use. */
  leave(use: VolumeUse): void {
    this.#uses?.remove(use)
    if (this.users === 0) this.cell.wake()
  }

  /** Asks every user to end, with what its client shall get. */
  abortUses(code: Code): void {
    for (const use of [...(this.#uses ?? [])]) use.abort(code)
  }

  /** Is this its partition? An empty name matches any. */
  isOn(partition: string): boolean {
    return partition === "" || partition === this.partition.name
  }
}
