/**
 * Telling a host something, wherever it can be reached: at the address that is called first, else at any other where the
 * client with its UUID answers. That one is called first from then on. OpenAFS viced/host.c (MultiProbeAlternateAddress_r),
 * viced/callback.c (MultiBreakCallBackAlternateAddress_r).
 */
import type { ClientCalls } from "./client-calls.ts"
import type { Host, HostAddress } from "./host.ts"
import type { HostRegister } from "./host-register.ts"

export class HostReach {
  readonly #calls: ClientCalls
  readonly #register: HostRegister

  constructor(calls: ClientCalls, register: HostRegister) {
    this.#calls = calls
    this.#register = register
  }

  /** Does a call at an address of the host that answers. False if none does. */
  async tell(host: Host, call: (at: HostAddress) => Promise<unknown>): Promise<boolean> {
    const first = host.addresses[0]
    if (first === undefined || host.isGone) return false
    if (await succeeds(call(first))) return true
    const other = await this.#otherAddress(host, first)
    if (other === undefined || host.isGone) return false
    const owner = this.#register.at(other)
    if (owner !== undefined && owner !== host) return false
    this.#register.prefer(host, other)
    return await succeeds(call(other))
  }

  /** True if the host answers to its UUID (if it has one) at any of its addresses. */
  async answers(host: Host): Promise<boolean> {
    return await this.tell(host, async (at) => {
      if (!(await this.#calls.probe(at, host.uuid))) throw new Error("another client answers")
    })
  }

  /** An address where the host answers, all others being asked at the same time. */
  async #otherAddress(host: Host, failed: HostAddress): Promise<HostAddress | undefined> {
    const { uuid } = host
    if (uuid === undefined) return undefined
    const others = otherAddresses(host, failed)
    const asked = others.map(async (at) => {
      if (!(await this.#calls.probe(at, uuid))) throw new Error("another client answers")
      return at
    })
    try {
      return await Promise.any(asked)
    } catch {
      return undefined
    } finally {
      // What is asked still, or did not answer, needs no connection.
      for (const at of others) if (!host.isAt(at)) void this.#releaseLater(asked, at)
    }
  }

  async #releaseLater(asked: readonly Promise<HostAddress>[], at: HostAddress): Promise<void> {
    await Promise.allSettled(asked)
    if (this.#register.at(at) === undefined) this.#calls.release(at)
  }
}

async function succeeds(call: Promise<unknown>): Promise<boolean> {
  try {
    await call
    return true
  } catch {
    return false
  }
}

/** Where it was seen, then what it reports of itself, with the port where it was seen first. */
function otherAddresses(host: Host, failed: HostAddress): HostAddress[] {
  const seen = host.addresses.filter((at) => at !== failed)
  const reported = host.reported.map((ip) => ({ host: ip, port: failed.port }))
  const unknown = reported.filter((at) => !host.isAt(at))
  return [...seen, ...unknown]
}
