/**
 * Handing volumes to other programs and taking them back: carries out what checkout.ts decides. Every operation answers at
 * once unless the volume is in somebody else's hands for the moment; one that waits holds nobody else up, and looks at
 * everything anew when it goes on. OpenAFS vol/fssync-server.c.
 */
import { secondsOf } from "../clock.ts"
import { isDiskError } from "../disk/disk.ts"
import type { Partition } from "../partition/partition.ts"
import {
  type CheckoutChannel,
  type CheckoutRequest,
  decideCheckout,
  decideDone,
  decideForceError,
  decideLeaveOff,
  decideMove,
  decideOn,
  isSalvager,
  isTracked,
  type PendingOperation,
  type Purpose,
  type Refusal,
  stateAfterDrop,
  tellsBusy,
} from "./checkout.ts"
import { CheckoutRegister } from "./checkout-register.ts"
import { type CheckoutProbes, isProcessAlive, LostCheckouts } from "./lost-checkouts.ts"
import { forget, type OfflineResult, takeOffline } from "./offline.ts"
import { factsOf, type PackageContext } from "./package-context.ts"
import type { SalvageSchedule } from "./salvage-schedule.ts"
import type { ServerVolume } from "./server-volume.ts"

/** How an operation ended: `ok`, or why not. `noPartition`: this fileserver has no such partition. */
export type Verdict = "ok" | "okWrongPartition" | Refusal | "noPartition"
export type Eventually<T> = T | Promise<T>

/** The volumes of the fileserver, as handing over needs them. */
export interface VolumeTable {
  find(id: number): ServerVolume | undefined
  /** A new object in state PREATTACHED. */
  create(id: number, partition: Partition): ServerVolume
  partition(name: string): Partition | undefined
}

export interface HandoverOptions {
  /**
   * Volumes that one connection may keep offline at a time. OpenAFS's limit is 128; it bounds what one client that forgets
   * to give back can take out of service.
   */
  readonly checkoutsMax: number
  readonly probes?: CheckoutProbes | undefined
}

export const defaultCheckoutsMax = 128

export class VolumeHandover {
  readonly #context: PackageContext
  readonly #table: VolumeTable
  readonly #salvages: SalvageSchedule
  readonly #isAlive: (pid: number) => boolean
  readonly #register: CheckoutRegister<ServerVolume>
  readonly #lost: LostCheckouts

  constructor(context: PackageContext, table: VolumeTable, salvages: SalvageSchedule, options: HandoverOptions) {
    this.#context = context
    this.#table = table
    this.#salvages = salvages
    this.#register = new CheckoutRegister(options.checkoutsMax)
    this.#isAlive = options.probes?.isAlive ?? isProcessAlive
    this.#lost = new LostCheckouts(context, (volume) => this.drop(volume), options.probes)
  }

  /** Checkouts of ended connections that are still being looked into. */
  get lostCheckouts(): number {
    return this.#lost.count
  }

  /** VOL_OFF and VOL_NEEDVOLUME. */
  checkOut(channel: CheckoutChannel, request: CheckoutRequest, purpose: Purpose): Eventually<Verdict> {
    if (channel.closed.aborted) return "denied"
    const { programType } = request
    if (!this.#register.hasRoom(channel, request)) return "denied"
    const volume = this.#table.find(request.volume)
    if (volume === undefined || !volume.isOn(request.partition)) return "ok"
    const decided = decideCheckout(programType, purpose, volume)
    switch (decided.step) {
      case "wait":
        return this.#after(volume, () => this.checkOut(channel, request, purpose))
      case "refuse":
        return this.#refuse(volume, decided.why)
      case "grant":
        return "ok"
      case "record":
        this.#record(channel, volume, request, purpose, "unknown")
        return "ok"
      case "keepOnline":
        this.#record(channel, volume, request, purpose, "runningOnline")
        return this.#refreshOnDisk(volume)
      case "takeOffline":
        this.#record(channel, volume, request, purpose, "runningOffline")
        return this.#takeOffline(channel, volume, request, purpose)
    }
  }

  /** VOL_ON and VOL_ATTACH: `partition` is where the volume is from now on. */
  putOnline(channel: CheckoutChannel, programType: number, id: number, partitionName: string): Eventually<Verdict> {
    if (channel.closed.aborted) return "denied"
    const volume = this.#table.find(id)
    const step = volume === undefined ? undefined : decideOn(programType, volume)
    if (step?.step === "refuse") return step.why
    this.#register.freeSlot(channel, id)
    const partition = this.#table.partition(partitionName)
    if (partition === undefined) return "noPartition"
    if (volume === undefined || step === undefined) {
      this.#table.create(id, partition)
      return "ok"
    }
    if (step.step === "wait") {
      return this.#after(volume, () => this.putOnline(channel, programType, id, partitionName))
    }
    this.#endOperation(volume)
    if (step.step === "preattach") this.#preattach(volume, partition)
    else if (step.step === "withdraw") this.#withdraw(volume)
    return "ok"
  }

  /** VOL_LEAVE_OFF. */
  leaveOffline(channel: CheckoutChannel, programType: number, id: number, partition: string): Eventually<Verdict> {
    if (channel.closed.aborted) return "denied"
    const volume = this.#table.find(id)
    const step = volume === undefined ? undefined : decideLeaveOff(programType, volume, volume.isOn(partition))
    if (step?.step === "refuse" && step.why === "exclusive") return step.why
    this.#register.freeSlot(channel, id)
    if (volume === undefined || step === undefined) return "unknownVolume"
    if (step.step === "wait") return this.#after(volume, () => this.leaveOffline(channel, programType, id, partition))
    if (step.step === "refuse") return step.why
    this.#endOperation(volume)
    if (volume.state !== "UNATTACHED") volume.cell.change("UNATTACHED", this.#now)
    return "ok"
  }

  /** VOL_DONE: the volume has been deleted. */
  deleted(channel: CheckoutChannel, programType: number, id: number, partition: string): Eventually<Verdict> {
    if (channel.closed.aborted) return "denied"
    const volume = this.#table.find(id)
    if (volume?.isOn(partition) !== true) {
      this.#register.freeSlot(channel, id)
      return volume === undefined ? "unknownVolume" : "okWrongPartition"
    }
    const step = decideDone(programType, volume, this.#ownerLives(volume))
    if (step.step === "refuse" && step.why === "exclusive") return this.#overruled(volume, programType)
    this.#register.freeSlot(channel, id)
    if (step.step === "wait") return this.#after(volume, () => this.deleted(channel, programType, id, partition))
    if (step.step === "refuse") return step.why
    this.#endOperation(volume)
    if (step.step === "endOperation") return "unknownVolume"
    this.#salvages.ended(volume)
    forget(this.#context, volume)
    volume.cell.change("DELETED", this.#now)
    return "ok"
  }

  /** VOL_MOVE: clients are told that the volume is elsewhere now. */
  moved(id: number, partition: string): Verdict {
    const volume = this.#table.find(id)
    if (volume === undefined) return "unknownVolume"
    if (!volume.isOn(partition)) return "wrongPartition"
    const step = decideMove(volume)
    if (step.step === "refuse") return step.why
    volume.specialStatus = "VMOVED"
    this.#context.callbacks.breakVolume(id)
    return "ok"
  }

  /** FORCE_ERROR. The partition must be named exactly. */
  forceError(
    channel: CheckoutChannel,
    programType: number,
    id: number,
    partitionName: string,
    salvage: boolean,
  ): Eventually<Verdict> {
    if (channel.closed.aborted) return "denied"
    const partition = this.#table.partition(partitionName)
    const known = this.#table.find(id)
    if (known === undefined && (!salvage || partition === undefined)) return "unknownVolume"
    if (known !== undefined && known.partition.name !== partitionName) return "wrongPartition"
    const volume = known ?? (partition === undefined ? undefined : this.#table.create(id, partition))
    if (volume === undefined) return "unknownVolume"
    const step = decideForceError(programType, salvage, volume, this.#ownerLives(volume))
    if (step.step === "refuse") return this.#overruled(volume, programType)
    if (step.step === "wait") {
      return this.#after(volume, () => this.forceError(channel, programType, id, partitionName, salvage))
    }
    this.#endOperation(volume)
    if (step.step === "salvage") this.#salvages.want(volume, "ERROR")
    else this.#putIntoError(volume)
    return "ok"
  }

  /** The connection has ended: what it held is given back, or looked after until nobody can hold it any more. */
  channelClosed(channel: CheckoutChannel): void {
    for (const { volume, hadSlot } of this.#register.close(channel)) {
      if (volume.operation?.channel !== channel || !isTracked(volume.operation.request.programType)) continue
      if (volume.state === "GOING_OFFLINE") this.#withdrawLost(volume)
      else this.#lost.add(volume, hadSlot)
    }
  }

  /** Ends a checkout that nobody will give back. What had been in service before it will be again. */
  drop(volume: ServerVolume): void {
    const before = volume.operation?.before
    this.#endOperation(volume)
    if (before === undefined) return
    const next = stateAfterDrop(volume.state, before)
    if (volume.specialStatus === "VBUSY") volume.specialStatus = undefined
    if (next !== volume.state) volume.cell.change(next, this.#now)
  }

  /**
   * A program verified its checkout over this connection. If that of the checkout has ended, the program has made a new
   * one: the checkout is now this connection's.
   */
  verified(channel: CheckoutChannel, sender: { readonly programType: number; readonly pid: number }, id: number): void {
    const volume = this.#table.find(id)
    const { operation } = volume ?? {}
    if (volume === undefined || operation?.channel.closed.aborted !== true || channel.closed.aborted) return
    const { programType, pid } = operation.request
    if (programType !== sender.programType || pid !== sender.pid || !isTracked(programType)) return
    volume.operation = { ...operation, channel }
    this.#register.add(channel, volume)
    if (operation.state === "runningOffline" && operation.before === "ATTACHED") this.#register.takeSlot(channel, id)
  }

  close(): void {
    this.#lost.close()
  }

  get #now(): number {
    return this.#context.clock.now()
  }

  #after(volume: ServerVolume, next: () => Eventually<Verdict>): Promise<Verdict> {
    return volume.cell.changed().then(next)
  }

  #refuse(volume: ServerVolume, why: Refusal): Verdict {
    if (why === "salvaging") this.#salvages.refused(volume)
    return why
  }

  #overruled(volume: ServerVolume, programType: number): Verdict {
    const owner = volume.operation?.request
    const facts = { ...factsOf(volume), programType, ownerType: owner?.programType, ownerPid: owner?.pid }
    this.#context.log.warn(facts, "a salvager's verdict is refused: a living program has the volume")
    return "exclusive"
  }

  #ownerLives(volume: ServerVolume): boolean {
    return volume.operation !== undefined && this.#isAlive(volume.operation.request.pid)
  }

  #record(
    channel: CheckoutChannel,
    volume: ServerVolume,
    request: CheckoutRequest,
    purpose: Purpose,
    state: PendingOperation["state"],
  ): void {
    const former = volume.operation
    if (former !== undefined) {
      const facts = { ...factsOf(volume), formerPid: former.request.pid, pid: request.pid }
      this.#context.log.warn(facts, "volume is checked out a second time by the same type of program")
      this.#forgetOperation(volume)
    }
    if (isSalvager(request.programType)) this.#salvages.started(volume)
    volume.operation = { request, purpose, channel, before: former?.before ?? volume.state, state }
    this.#register.add(channel, volume)
    volume.statistics.operations++
    volume.statistics.lastOperation = secondsOf(this.#now)
    this.#context.totals.operations++
  }

  /** Removes the checkout and wakes who waits for that. */
  #endOperation(volume: ServerVolume): void {
    if (volume.operation === undefined) return
    this.#forgetOperation(volume)
    volume.cell.wake()
  }

  #forgetOperation(volume: ServerVolume): void {
    const { operation } = volume
    volume.operation = undefined
    if (operation !== undefined) this.#register.remove(operation.channel, volume)
  }

  #takeOffline(
    channel: CheckoutChannel,
    volume: ServerVolume,
    request: CheckoutRequest,
    purpose: Purpose,
  ): Eventually<Verdict> {
    const { operation } = volume
    if (isTracked(request.programType)) this.#register.takeSlot(channel, volume.id)
    const busy = tellsBusy(purpose)
    if (busy && volume.specialStatus === undefined) volume.specialStatus = "VBUSY"
    const result = takeOffline(this.#context, volume, {
      reason: "operation",
      timeoutMs: this.#context.offlineTimeoutMs,
      code: busy ? "VBUSY" : "VOFFLINE",
    })
    const settle = (how: OfflineResult): Verdict => this.#takenOffline(channel, volume, request, operation, how)
    return result instanceof Promise ? result.then(settle) : settle(result)
  }

  #takenOffline(
    channel: CheckoutChannel,
    volume: ServerVolume,
    request: CheckoutRequest,
    operation: PendingOperation | undefined,
    how: OfflineResult,
  ): Verdict {
    if (how === "failed") this.#salvages.want(volume, "ERROR")
    // Another checkout of the same type may have followed already: both were granted, and VerifyCheckout tells whose it is.
    if (how === "offline" && volume.operation?.request.programType === request.programType) return "ok"
    this.#register.freeSlot(channel, volume.id)
    if (volume.operation === operation) this.#endOperation(volume)
    return "denied"
  }

  /** Usage counts are in core; who reads the files of a volume that stays online finds them on disk. */
  #refreshOnDisk(volume: ServerVolume): Verdict {
    try {
      volume.attachment?.write(volume.partition, {})
      return "ok"
    } catch (error) {
      if (!isDiskError(error)) throw error
      this.#context.log.error({ ...factsOf(volume), err: error }, "volume information cannot be written")
      this.#endOperation(volume)
      this.#salvages.want(volume, "ERROR")
      return "denied"
    }
  }

  #preattach(volume: ServerVolume, partition: Partition): void {
    this.#salvages.ended(volume)
    forget(this.#context, volume)
    volume.specialStatus = undefined
    volume.holdOffUntil = 0
    volume.partition = partition
    if (volume.state !== "PREATTACHED") volume.cell.change("PREATTACHED", this.#now)
  }

  #withdraw(volume: ServerVolume): void {
    if (volume.specialStatus === "VBUSY") volume.specialStatus = undefined
    volume.cell.change("ATTACHED", this.#now)
  }

  #withdrawLost(volume: ServerVolume): void {
    this.#context.log.info(factsOf(volume), "checkout withdrawn: its connection ended while it waited for users")
    this.#endOperation(volume)
    this.#withdraw(volume)
  }

  #putIntoError(volume: ServerVolume): void {
    this.#salvages.ended(volume)
    forget(this.#context, volume)
    volume.abortUses("VNOVOL")
    this.#context.log.error(factsOf(volume), "volume is out of service by request, until it is put online")
    if (volume.state !== "ERROR") volume.cell.change("ERROR", this.#now)
  }
}
