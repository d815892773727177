/**
 * Finding out which host calls from an address. Everything that is known hangs on what the client says of itself at a call back to
 * that address, so nobody can pass as a host without receiving what is sent to it.
 *
 *     says                       known here                        then
 *     its UUID                   under that address                the same host: served
 *                                under other addresses             asked there: one more address, or it has moved
 *                                not at all                        new: it forgets what an earlier server promised
 *     nothing of UUIDs (-455)    without UUID under that address   the same host: served
 *                                not at all                        new, as above
 *     another UUID, or none      under that address with one       the old host is gone; asked again
 *     no answer                                                    it forgets everything, or is not served
 *
 * OpenAFS viced/host.c (h_GetHost_r); docs/serving.md.
 */
import type { Clock } from "../common/clock.ts"
import { clientCapabilities } from "../common/protocol/afscbint.ts"
import { isRpcError, RpcError, stubCodes } from "../common/rpc/rpc-call.ts"
import { rxCodes } from "../common/rx/codes.ts"
import type { ClientCalls } from "./client-calls.ts"
import type { Host, HostAddress } from "./host.ts"
import type { HostRegister } from "./host-register.ts"
import type { HostReturn } from "./host-return.ts"
import type { Protection } from "./protection.ts"

/** What a client told of itself. */
interface Identity {
  readonly uuid: string | undefined
  readonly reported: readonly number[]
  readonly translatesErrors: boolean
}

const nobody: Identity = { uuid: undefined, reported: [], translatesErrors: false }
/** A host that is another one each time it is looked at is not served. */
const attemptsMax = 4

export interface HandshakeOptions {
  readonly calls: ClientCalls
  readonly register: HostRegister
  readonly returns: HostReturn
  readonly protection: Pick<Protection, "hostGroups">
  readonly clock: Clock
}

export class Handshake {
  readonly #options: HandshakeOptions
  /** One at a time for each address. */
  readonly #underWay = new Map<number, Promise<Host>>()

  constructor(options: HandshakeOptions) {
    this.#options = options
  }

  /**
   * The host at an address, which may have to be told things before it is served (`isReady`). Connections that ask at the same
   * time share a failure, so that a client which does not answer makes each of them wait once.
   */
  async identify(at: HostAddress): Promise<Host> {
    const key = at.host * 65_536 + at.port
    for (let before = this.#underWay.get(key); before !== undefined; before = this.#underWay.get(key)) await before
    const handshake = this.#run(at)
    this.#underWay.set(key, handshake)
    try {
      return await handshake
    } finally {
      this.#underWay.delete(key)
    }
  }

  async #run(at: HostAddress): Promise<Host> {
    const { protection, register, returns } = this.#options
    await protection.hostGroups(at.host)
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const identity = await this.#ask(at)
      const host = identity === undefined ? this.#silent(at) : await this.#settle(at, identity)
      if (host === undefined) continue
      if (!host.isReady) await returns.bringUp(host)
      if (register.at(at) === host) return host
    }
    throw new RpcError(rxCodes.callDead, "callback", { detail: "the client is another one each time it is asked" })
  }

  /** Undefined: the client did not tell, for another reason than that it cannot. */
  async #ask(at: HostAddress): Promise<Identity | undefined> {
    const { calls } = this.#options
    try {
      const { addr, capabilities } = await calls.tellMeAboutYourself(at)
      const translatesErrors = ((capabilities[0] ?? 0) & clientCapabilities.errorTranslation) !== 0
      return { ...identityOf(addr), translatesErrors }
    } catch (error) {
      if (!isRpcError(error, stubCodes.unknownOpcode)) return undefined
    }
    try {
      return identityOf(await calls.whoAreYou(at))
    } catch (error) {
      return isRpcError(error, stubCodes.unknownOpcode) ? nobody : undefined
    }
  }

  /** A host that does not say who it is may still show that it hears us. */
  #silent(at: HostAddress): Host {
    const host = this.#options.register.at(at) ?? this.#add(undefined, at)
    host.needsReset = true
    host.isDown = true
    return host
  }

  /** The host that this is; undefined if the one that was known here has gone: its successor is asked as nobody knows it. */
  async #settle(at: HostAddress, identity: Identity): Promise<Host | undefined> {
    const { register } = this.#options
    const present = register.at(at)
    const known = identity.uuid === undefined ? undefined : register.withUuid(identity.uuid)
    let host = present
    if (present === undefined)
      host = known === undefined ? this.#new(identity, at) : await this.#meetElsewhere(known, at)
    else if (present.uuid !== identity.uuid) {
      this.#leave(present, at)
      return undefined
    }
    if (host === undefined) return undefined
    host.reported = identity.reported
    host.translatesErrors = identity.translatesErrors
    return host
  }

  #new({ uuid }: Identity, at: HostAddress): Host {
    const host = this.#add(uuid, at)
    host.needsReset = true
    return host
  }

  /** A known host is seen at another address, and called there from now on: is it at the one before too, or only here? */
  async #meetElsewhere(known: Host, at: HostAddress): Promise<Host | undefined> {
    const { calls, register } = this.#options
    const first = known.addresses[0] ?? at
    let isThere = false
    try {
      isThere = await calls.probe(first, known.uuid)
    } catch {
      // No answer: it is not there.
    }
    // Others may have come in meanwhile.
    if (known.isGone || (register.at(at) ?? known) !== known) return undefined
    register.prefer(known, at)
    if (!isThere) {
      register.removeAddress(known, first)
      if (register.at(first) === undefined) calls.release(first)
    }
    return known
  }

  /** Another client has this address now. */
  #leave(host: Host, at: HostAddress): void {
    if (host.addresses.length > 1) this.#options.register.removeAddress(host, at)
    else this.#options.returns.forget(host, at)
  }

  /** Where there is no room, the host goes that has not called for longest. */
  #add(uuid: string | undefined, at: HostAddress): Host {
    const { register, returns, clock } = this.#options
    const oldest = register.isFull ? register.oldest(() => true) : undefined
    if (oldest !== undefined) void returns.retire(oldest)
    return register.add(uuid, at, clock.now())
  }
}

function identityOf(addr: {
  readonly numberOfInterfaces: number
  readonly uuid: string
  readonly addr_in: readonly number[]
}): Identity {
  const count = Math.max(0, Math.min(addr.numberOfInterfaces, addr.addr_in.length))
  const reported = addr.addr_in.slice(0, count).filter((ip) => ip !== 0)
  return { uuid: addr.uuid, reported, translatesErrors: false }
}
