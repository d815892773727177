/**
 * Tells the cell's location servers by which addresses this server is reached; clients find it by its UUID there. The server
 * serves whether or not anybody listens; until it is registered it is tried again.
 * OpenAFS viced/viced.c (InitVL, Do_VLRegisterRPC, vl_Initialize's callers).
 */
import { type DatabaseCalls, NoDatabase } from "../common/cell/database-calls.ts"
import type { ServerAddresses } from "../common/cell/server-addresses.ts"
import type { Clock } from "../common/clock.ts"
import { locationCodes, type VL } from "../common/protocol/vldbint.ts"
import { isRpcError } from "../common/rpc/rpc-call.ts"
import { hostText } from "../common/rx/datagram-port.ts"

/** Time between two attempts. */
const retryMs = 300_000

export interface RegistrationOptions {
  readonly calls: Pick<DatabaseCalls<(typeof VL)["operations"]>, "call">
  readonly uuid: string
  /** The addresses at this time; looked up at each attempt. @throws FormatError, DiskError */
  readonly addresses: () => ServerAddresses
  readonly clock: Clock
  readonly log: {
    info(facts: object, message: string): void
    warn(facts: object, message: string): void
    error(facts: object, message: string): void
  }
}

/** Registers in the background from its making on, until it has succeeded or is disposed of. */
export class Registration implements Disposable {
  readonly #options: RegistrationOptions
  #cancel: (() => void) | undefined
  #isOver = false
  /** Resolves when the attempt under way is over; never rejects. */
  attempt: Promise<void>

  constructor(options: RegistrationOptions) {
    this.#options = options
    this.attempt = this.#try()
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    this.#cancel?.()
  }

  async #try(): Promise<void> {
    try {
      const addresses = this.#addresses()
      if (addresses.length > 0) await this.#register(addresses)
      else this.#complain({}, "no address is left to register: clients find this server by old entries only")
    } catch (error) {
      this.#failed(error)
    }
  }

  #addresses(): readonly number[] {
    const { addresses, complaints } = this.#options.addresses()
    for (const detail of complaints) this.#options.log.warn({ detail }, "an address rule does not count")
    return addresses
  }

  async #register(addresses: readonly number[]): Promise<void> {
    const { calls, uuid, log } = this.#options
    await calls.call((vl) => vl.RegisterAddrs({ uuidp: uuid, spare1: 0, ipaddr: addresses }))
    log.info({ uuid, addresses: addresses.map(hostText) }, "registered with the location servers")
  }

  #failed(err: unknown): void {
    const { uuid } = this.#options
    if (isRpcError(err, locationCodes.multipleAddress))
      this.#complain(
        { uuid, err },
        "not registered: another server has one of the addresses under another UUID; see vos listaddrs -printuuid, then vos remaddrs or vos changeaddr",
      )
    else if (isRpcError(err, locationCodes.permission))
      this.#complain({ uuid, err }, "not registered: the location servers want authentication with the cell's key")
    else if (err instanceof NoDatabase) this.#complain({ uuid, err }, "not registered: no location server answers")
    else this.#complain({ uuid, err }, "not registered")
  }

  #complain(facts: object, message: string): void {
    if (this.#isOver) return
    this.#options.log.error({ ...facts, retryMs }, message)
    this.#cancel = this.#options.clock.after(retryMs, () => {
      this.attempt = this.#try()
    })
  }
}
