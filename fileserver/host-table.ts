/** Who calls: the host and the user behind a connection, remembered with it. docs/serving.md; OpenAFS viced/host.c. */
import type { Clock, Millis } from "../common/clock.ts"
import { type RpcCall, type RpcConnection, RpcError } from "../common/rpc/rpc-call.ts"
import { rxCodes } from "../common/rx/codes.ts"
import type { Handshake } from "./handshake.ts"
import type { Host, HostAddress } from "./host.ts"
import type { HostRegister } from "./host-register.ts"
import type { HostReturn } from "./host-return.ts"
import type { Protection, UserIdentity } from "./protection.ts"

/** Host and user of a call. */
export interface Caller {
  readonly host: Host
  readonly user: UserIdentity
}

/** Hosts as statistics count them. */
export interface HostCounts {
  readonly hosts: number
  /** Called within the last 15 minutes. */
  readonly active: number
}

const activeMs = 15 * 60_000
/** A host that goes down again and again while it is told what it missed is not served. */
const attemptsMax = 4

/** What a connection's calls have in common. */
class Session implements Caller {
  readonly host: Host
  readonly peer: HostAddress
  user: UserIdentity

  constructor(host: Host, peer: HostAddress, user: UserIdentity) {
    this.host = host
    this.peer = peer
    this.user = user
  }
}

export interface HostTableOptions {
  readonly register: HostRegister
  readonly handshake: Pick<Handshake, "identify">
  readonly returns: Pick<HostReturn, "bringUp">
  readonly protection: Pick<Protection, "userOf" | "hostGroups">
  readonly clock: Clock
}

export class HostTable {
  readonly #options: HostTableOptions

  constructor(options: HostTableOptions) {
    this.#options = options
  }

  /**
   * Who calls: at once for a known connection, else after the host has said who it is and knows what it lost.
   * @throws RpcError -1 if the host cannot be called back; what `Protection.userOf` throws
   */
  callerOf(call: RpcCall): Caller | Promise<Caller> {
    const { connection } = call
    const session = connection.context
    if (!(session instanceof Session) || !isCurrent(session)) return this.#identify(connection)
    const { clock, protection } = this.#options
    const user = protection.userOf(connection)
    const cps = protection.hostGroups(connection.peer.host)
    if (user instanceof Promise || cps instanceof Promise) return this.#identify(connection)
    session.user = user
    session.host.cps = cps
    session.host.lastCall = clock.now()
    return session
  }

  /** Who calls, if that is known: for the translation of errors. */
  knownCaller(call: RpcCall): Caller | undefined {
    const { context } = call.connection
    return context instanceof Session ? context : undefined
  }

  counts(): HostCounts {
    const { register, clock } = this.#options
    const since: Millis = clock.now() - activeMs
    let active = 0
    for (const host of register) if (host.lastCall >= since) active++
    return { hosts: register.size, active }
  }

  async #identify(connection: RpcConnection): Promise<Caller> {
    const { handshake, returns, protection, clock } = this.#options
    const { peer } = connection
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const known = connection.context
      const host = known instanceof Session && isPlaced(known) ? known.host : await handshake.identify(peer)
      if (!host.isReady) await returns.bringUp(host)
      const user = await protection.userOf(connection)
      const cps = await protection.hostGroups(peer.host)
      if (!host.isReady) continue
      const session = new Session(host, peer, user)
      host.cps = cps
      host.lastCall = clock.now()
      connection.context = session
      return session
    }
    throw new RpcError(rxCodes.callDead, "callback", { detail: "the host is up and down" })
  }
}

/** The host is known, and still at the address of the connection. */
const isPlaced = ({ host, peer }: Session): boolean => !host.isGone && host.isAt(peer)

const isCurrent = (session: Session): boolean => session.host.isReady && session.host.isAt(session.peer)
