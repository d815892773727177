/**
 * The volumes of a fileserver. At the start only the names of the header files are read; a volume is attached when somebody
 * first uses it, detached when it was idle for long, and handed to other programs on request.
 *
 *     find, acquire                        here
 *     reading and checking a volume        attach.ts
 *     what a client gets, by state         client-access.ts
 *     out of service, with or without users   offline.ts, shutdown.ts
 *     checkouts and check-ins              handover.ts (decided in checkout.ts), lost-checkouts.ts
 *     salvages                             salvage-schedule.ts
 *     idle volumes                         volume-lru.ts
 *     which volumes share files            volume-group-scan.ts
 */
import { type Clock, type Millis, secondsOf, systemClock } from "../clock.ts"
import { isDiskError } from "../disk/disk.ts"
import { AfsError } from "../error.ts"
import { listHeaderNames, type Partition } from "../partition/partition.ts"
import type { Code } from "../protocol/codes.ts"
import { type AttachOutcome, attachVolume, peekReadWrite } from "./attach.ts"
import type { Attachment } from "./attachment.ts"
import { staysOnlineUnread, tellsBusy } from "./checkout.ts"
import { decideAccess, salvagingCode } from "./client-access.ts"
import { defaultCheckoutsMax, type Eventually, VolumeHandover } from "./handover.ts"
import type { CheckoutProbes } from "./lost-checkouts.ts"
import { takeOffline } from "./offline.ts"
import { type CallbackBreaker, factsOf, noTotals, type PackageContext, type PackageLog } from "./package-context.ts"
import { type SalvageLink, SalvageSchedule } from "./salvage-schedule.ts"
import { ServerVolume, VolumeUse } from "./server-volume.ts"
import { ServingCaches, type ServingLimits, type ServingSync } from "./serving-caches.ts"
import { detachAll, type ShutdownReport } from "./shutdown.ts"
import { PartitionGroups } from "./volume-group-scan.ts"
import { dontSalvageMark } from "./volume-info.ts"
import { type LruOptions, lruDefaults, VolumeLru } from "./volume-lru.ts"
import type { StoreSlack } from "./volume-usage.ts"

export interface VolumePackageOptions {
  readonly log: PackageLog
  readonly callbacks: CallbackBreaker
  /** Undefined: salvages are wanted and wait. */
  readonly salvageServer?: SalvageLink | undefined
  readonly clock?: Clock | undefined
  /** Soft detach of idle volumes; `false`: they stay attached. */
  readonly lru?: LruOptions | false | undefined
  /** So long a checkout waits for users before they are asked to end; undefined: for ever; 0: not at all. */
  readonly offlineTimeoutMs?: Millis | undefined
  /** The same for the shutdown; undefined: as `offlineTimeoutMs`. */
  readonly offlineShutdownTimeoutMs?: Millis | undefined
  /** So long a volume whose lock was held is not tried again; VOL_ON ends it earlier. */
  readonly lockHoldOffMs?: Millis | undefined
  /** Volumes that one connection may keep offline. */
  readonly checkoutsMax?: number | undefined
  /** When changes of clients reach the platter; "onclose" if undefined. */
  readonly sync?: ServingSync | undefined
  /** How far stores may go beyond a quota; undefined: as usual. */
  readonly slack?: StoreSlack | undefined
  /** Open files; undefined: what the process may have. */
  readonly limits?: ServingLimits | undefined
  /** Runs work when what was answered in this turn is on its way: files that removals leave go then. Undefined: at once. */
  readonly later?: ((work: () => void) => void) | undefined
  /** How the owners of lost checkouts are looked at. */
  readonly probes?: CheckoutProbes | undefined
}

const defaultLockHoldOffMs = 2_000
/** A volume not changed for so long is marked as sound when it falls back a generation. OpenAFS's limit. */
const unchangedSeconds = 600

/** A fileserver's volumes, by id. One volume id exists once per server; its partition is a property. */
export class VolumePackage implements AsyncDisposable {
  readonly partitions: readonly Partition[]
  readonly handover: VolumeHandover
  readonly salvages: SalvageSchedule
  readonly context: PackageContext
  readonly caches: ServingCaches
  readonly #volumes = new Map<number, ServerVolume>()
  readonly #groups = new Map<string, PartitionGroups>()
  readonly #options: VolumePackageOptions
  #cancelTick: (() => void) | undefined
  #closing: Promise<ShutdownReport> | undefined

  /** Pre-attaches every volume of the partitions, from the names of their header files. */
  constructor(partitions: readonly Partition[], options: VolumePackageOptions) {
    const { log, callbacks, clock = systemClock, lru = lruDefaults } = options
    this.partitions = partitions
    this.#options = options
    this.context = {
      clock,
      log,
      callbacks,
      totals: noTotals(),
      lru: lru === false ? undefined : new VolumeLru<ServerVolume>(lru, clock.now()),
      offlineTimeoutMs: options.offlineTimeoutMs,
    }
    const onBroken = (id: number, error: Error): void => this.#broke(id, error)
    const { sync, slack, limits, later } = options
    this.caches = new ServingCaches({ log, sync, slack, limits, later, onBroken })
    this.salvages = new SalvageSchedule(this.context, options.salvageServer)
    const table = {
      find: (id: number) => this.#volumes.get(id),
      create: (id: number, partition: Partition) => this.#create(id, partition),
      partition: (name: string) => this.partition(name),
    }
    const { checkoutsMax = defaultCheckoutsMax, probes } = options
    this.handover = new VolumeHandover(this.context, table, this.salvages, { checkoutsMax, probes })
    for (const partition of partitions) this.#preattachAll(partition)
    this.#tickLater()
  }

  /** The volume, in whatever state. */
  find(id: number): ServerVolume | undefined {
    return this.#volumes.get(id)
  }

  /** All known volumes, in no particular order. */
  volumes(): Iterable<ServerVolume> {
    return this.#volumes.values()
  }

  get volumeCount(): number {
    return this.#volumes.size
  }

  /** The partition of this name, `/vicepa`. */
  partition(name: string): Partition | undefined {
    return this.#groups.get(name)?.partition
  }

  /** The volume groups of the partition of this name. */
  groups(name: string): PartitionGroups | undefined {
    return this.#groups.get(name)
  }

  allGroups(): Iterable<PartitionGroups> {
    return this.#groups.values()
  }

  /**
   * Begins to use a volume, attaching it if need be. At once, unless somebody works on the volume alone at the moment.
   * @throws AfsError what a client gets: VNOVOL, VOFFLINE, VBUSY, VRESTARTING, VMOVED
   */
  acquire(id: number): Eventually<VolumeUse> {
    this.context.totals.lookups++
    const volume = this.#volumes.get(id)
    if (volume === undefined) throw new AfsError("VNOVOL", "acquire", { volume: id })
    volume.statistics.lookups++
    const now = this.context.clock.now()
    const decided = decideAccess(volume, now)
    switch (decided.step) {
      case "serve":
        return this.#use(volume, volume.attachment, now)
      case "wait":
        return volume.cell.changed().then(() => this.acquire(id))
      case "refuse":
        if (decided.salvaging) this.salvages.refused(volume)
        throw refusal(volume, decided.code)
      case "attach":
        return this.#attachAndUse(volume, now)
    }
  }

  /**
   * Ends all service: nothing is attached any more, and every attached volume is detached. Other programs' requests must
   * have been shut out before.
   */
  close(): Promise<ShutdownReport> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<ShutdownReport> {
    this.#cancelTick?.()
    this.handover.close()
    this.salvages.close()
    await Promise.all([...this.#groups.values()].map((groups) => groups.close()))
    const { offlineShutdownTimeoutMs, offlineTimeoutMs } = this.#options
    const report = await detachAll(this.context, this.#volumes.values(), offlineShutdownTimeoutMs ?? offlineTimeoutMs)
    await this.caches.closed()
    return report
  }

  #preattachAll(partition: Partition): void {
    const { clock, log } = this.context
    this.#groups.set(partition.name, new PartitionGroups(partition, clock, log))
    for (const { volume: id } of listHeaderNames(partition)) {
      const known = this.#volumes.get(id)
      if (known === undefined) this.#create(id, partition)
      else
        log.error(
          { volume: id, partition: partition.name, served: known.partition.name },
          "duplicate volume id: this one is not served",
        )
    }
  }

  #create(id: number, partition: Partition): ServerVolume {
    const volume = new ServerVolume(id, partition, this.context.clock.now())
    this.#volumes.set(id, volume)
    return volume
  }

  /** A change of the volume's files broke off half-way; its user will be told. */
  #broke(id: number, err: Error): void {
    const volume = this.#volumes.get(id)
    if (volume?.state !== "ATTACHED") return
    this.context.log.error({ ...factsOf(volume), err }, "a change of the volume broke off")
    this.salvages.want(volume, "ERROR")
  }

  #use(volume: ServerVolume, attachment: Attachment | undefined, now: Millis): VolumeUse {
    if (attachment === undefined) throw new Error(`volume ${volume.id} is attached without its information`)
    const { lru, totals } = this.context
    if (lru === undefined) volume.lastGet = now
    else lru.access(volume, now)
    totals.headerGets++
    volume.statistics.headerGets++
    volume.statistics.lastHeaderGet = secondsOf(now)
    return new VolumeUse(volume, attachment, this.caches)
  }

  #attachAndUse(volume: ServerVolume, now: Millis): VolumeUse {
    volume.cell.change("ATTACHING", now)
    const code = this.#refuseByOperation(volume) ?? this.#attach(volume, now)
    if (code !== undefined) throw refusal(volume, code)
    return this.#use(volume, volume.attachment, now)
  }

  /** A volume that was checked out before it was attached: can it be online meanwhile? The code that clients get if not. */
  #refuseByOperation(volume: ServerVolume): Code | undefined {
    const { operation } = volume
    if (operation === undefined || operation.state === "runningOnline") return undefined
    if (operation.state === "unknown") {
      const readWrite = staysOnlineUnread(operation.purpose) ?? peekIsReadOnly(volume)
      if (typeof readWrite === "object") return this.#settle(volume, readWrite, this.context.clock.now())
      operation.state = readWrite ? "runningOnline" : "runningOffline"
      if (readWrite) return undefined
    }
    volume.cell.change("UNATTACHED", this.context.clock.now())
    if (tellsBusy(operation.purpose)) volume.specialStatus ??= "VBUSY"
    return volume.specialStatus ?? "VOFFLINE"
  }

  #attach(volume: ServerVolume, now: Millis): Code | undefined {
    const { partition, id } = volume
    return this.#settle(
      volume,
      attachVolume(partition, id, (of) => this.context.callbacks.breakVolume(of)),
      now,
    )
  }

  /** Brings a volume in state ATTACHING to the state that the outcome calls for. The code that clients get, if any. */
  #settle(volume: ServerVolume, outcome: AttachOutcome, now: Millis): Code | undefined {
    const facts = factsOf(volume)
    switch (outcome.kind) {
      case "attached":
        this.#attached(volume, outcome.attachment, now)
        return undefined
      case "busy":
        this.context.log.warn({ ...facts, err: outcome.error }, "volume cannot be attached at the moment")
        volume.holdOffUntil = now + (this.#options.lockHoldOffMs ?? defaultLockHoldOffMs)
        volume.cell.change("PREATTACHED", now)
        return volume.specialStatus ?? "VBUSY"
      case "missing":
        this.context.log.error({ ...facts, err: outcome.error }, "volume cannot be attached")
        volume.cell.change("ERROR", now)
        return volume.specialStatus ?? "VNOVOL"
      case "damaged":
        this.context.log.error({ ...facts, err: outcome.error }, "volume is damaged")
        volume.specialStatus = undefined
        this.salvages.want(volume, outcome.reason)
        return volume.salvage === undefined ? "VNOVOL" : salvagingCode(volume.salvage.wantedAt, now)
      case "doomed":
        volume.cell.change("FREED", now)
        this.#volumes.delete(volume.id)
        this.salvages.wantDeletion(volume.id, volume.partition)
        return "VNOVOL"
      case "notBlessed":
        volume.cell.change("PREATTACHED", now)
        return volume.specialStatus ?? "VNOVOL"
      case "notInService":
        volume.cell.change("UNATTACHED", now)
        return volume.specialStatus ?? "VOFFLINE"
    }
  }

  #attached(volume: ServerVolume, attachment: Attachment, now: Millis): void {
    const { lru, totals } = this.context
    volume.attachment = attachment
    volume.specialStatus = undefined
    volume.lastPromote = now
    volume.statistics.attaches++
    volume.statistics.headerLoads++
    volume.statistics.lastAttach = secondsOf(now)
    volume.statistics.lastHeaderLoad = secondsOf(now)
    totals.attaches++
    totals.headerLoads++
    lru?.add(volume, now)
    volume.cell.change("ATTACHED", now)
  }

  #tickLater(): void {
    const { lru, clock } = this.context
    if (lru === undefined || this.#closing !== undefined) return
    this.#cancelTick = clock.after(lru.nextTick - clock.now(), () => {
      this.#tick(lru, clock.now())
      this.#tickLater()
    })
  }

  #tick(lru: VolumeLru<ServerVolume>, now: Millis): void {
    const { detach, demoted } = lru.tick(now)
    for (const volume of demoted) this.#markSound(volume, now)
    for (const volume of detach) this.#softDetach(volume, now)
  }

  /** Tells a later salvage of the whole partition that it may skip a volume that has not changed for long. */
  #markSound(volume: ServerVolume, now: Millis): void {
    const { attachment } = volume
    if (attachment === undefined || volume.state !== "ATTACHED" || attachment.isMarkedSound) return
    if (attachment.updateDate + unchangedSeconds > secondsOf(now)) return
    try {
      attachment.write(volume.partition, { dontSalvage: dontSalvageMark })
    } catch (error) {
      if (!isDiskError(error)) throw error
      this.context.log.error({ ...factsOf(volume), err: error }, "volume information cannot be written")
      this.salvages.want(volume, "ERROR")
    }
  }

  #softDetach(volume: ServerVolume, now: Millis): void {
    if (!volume.isIdle) return
    const { totals, log } = this.context
    const options = { reason: "softDetach", timeoutMs: undefined, code: "VOFFLINE" } as const
    if (takeOffline(this.context, volume, options) !== "offline") {
      this.salvages.want(volume, "ERROR")
      return
    }
    volume.cell.change("PREATTACHED", now)
    volume.statistics.softDetaches++
    totals.softDetaches++
    log.debug(factsOf(volume), "idle volume detached")
  }
}

/** True, false, or the outcome of an attach that failed at reading the volume's type. */
function peekIsReadOnly(volume: ServerVolume): boolean | AttachOutcome {
  const readWrite = peekReadWrite(volume.partition, volume.id)
  return typeof readWrite === "boolean" ? !readWrite : readWrite
}

function refusal(volume: ServerVolume, code: Code): AfsError {
  return new AfsError(code, "acquire", factsOf(volume), { detail: `its state is ${volume.state}` })
}
