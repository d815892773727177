/**
 * Which connection has which volumes: the checkouts that it made, and of those the volumes that it took out of service. How many of
 * these one connection may have is bounded, as in OpenAFS vol/fssync-server.c (FSYNC_com_VolOff).
 */
import { type CheckoutChannel, type CheckoutRequest, isTracked } from "./checkout.ts"

interface Named {
  readonly id: number
}

interface ChannelRecord<Volume extends Named> {
  /** Ids of volumes that the connection took from ATTACHED to offline. */
  readonly slots: Set<number>
  readonly operations: Set<Volume>
}

/** A checkout whose connection has ended. */
export interface LeftCheckout<Volume extends Named> {
  readonly volume: Volume
  readonly hadSlot: boolean
}

export class CheckoutRegister<Volume extends Named> {
  readonly #slotsMax: number
  readonly #channels = new Map<object, ChannelRecord<Volume>>()

  /** @param slotsMax volumes that one connection may keep out of service at a time */
  constructor(slotsMax: number) {
    this.#slotsMax = slotsMax
  }

  /** The connection may take one more volume, or has this one already. The debugging tool's are not counted (isTracked). */
  hasRoom(channel: CheckoutChannel, request: CheckoutRequest): boolean {
    if (!isTracked(request.programType)) return true
    const slots = this.#channels.get(channel)?.slots
    if (slots === undefined || slots.size < this.#slotsMax) return true
    return slots.has(request.volume)
  }

  /** The connection has taken the volume out of service. */
  takeSlot(channel: CheckoutChannel, id: number): void {
    this.#recordOf(channel).slots.add(id)
  }

  freeSlot(channel: CheckoutChannel, id: number): void {
    this.#channels.get(channel)?.slots.delete(id)
  }

  /** The volume's checkout is this connection's. */
  add(channel: CheckoutChannel, volume: Volume): void {
    this.#recordOf(channel).operations.add(volume)
  }

  /** The volume's checkout is over, or somebody else's. */
  remove(channel: CheckoutChannel, volume: Volume): void {
    this.#channels.get(channel)?.operations.delete(volume)
  }

  /** The connection has ended: what it had checked out and nobody has ended, and whether it had taken that out of service. */
  close(channel: CheckoutChannel): readonly LeftCheckout<Volume>[] {
    const record = this.#channels.get(channel)
    if (record === undefined) return []
    this.#channels.delete(channel)
    return [...record.operations].map((volume) => ({ volume, hadSlot: record.slots.has(volume.id) }))
  }

  #recordOf(channel: CheckoutChannel): ChannelRecord<Volume> {
    const known = this.#channels.get(channel)
    if (known !== undefined) return known
    const record = { slots: new Set<number>(), operations: new Set<Volume>() }
    this.#channels.set(channel, record)
    return record
  }
}
