/**
 * Before a host is served that was down, or is new, it hears what it missed: every break that could not be told, or, where
 * that is not known, that all it was promised is void. OpenAFS viced/callback.c (BreakDelayedCallBacks_r).
 */
import { type AFSCallBack, type AFSFid, afsLimits, callBackTypes } from "../common/protocol/afs-types.ts"
import { RpcError } from "../common/rpc/rpc-call.ts"
import { rxCodes } from "../common/rx/codes.ts"
import type { CallbackTable } from "./callback-table.ts"
import type { ClientCalls } from "./client-calls.ts"
import type { Host, HostAddress } from "./host.ts"
import type { HostReach } from "./host-reach.ts"
import type { HostRegister } from "./host-register.ts"

const dropped: AFSCallBack = Object.freeze({
  CallBackVersion: 1,
  ExpirationTime: 0,
  CallBackType: callBackTypes.dropped,
})

export interface HostReturnOptions {
  readonly calls: ClientCalls
  readonly reach: HostReach
  readonly register: HostRegister
  readonly callbacks: CallbackTable
}

export class HostReturn {
  readonly #options: HostReturnOptions
  readonly #underWay = new Map<Host, Promise<void>>()

  constructor(options: HostReturnOptions) {
    this.#options = options
  }

  /**
   * Tells a host what it missed; calls that come meanwhile wait for the same telling.
   * @throws RpcError -1 if it cannot be told; it has to forget everything before its next call, or is forgotten if that failed
   */
  async bringUp(host: Host): Promise<void> {
    const running = this.#underWay.get(host)
    if (running !== undefined) return await running
    const telling = this.#tell(host)
    this.#underWay.set(host, telling)
    try {
      await telling
    } finally {
      this.#underWay.delete(host)
    }
  }

  /** Has a host forget everything; if that fails, before its next call. Never rejects. */
  async reset(host: Host): Promise<void> {
    this.#options.callbacks.requireReset(host)
    try {
      await this.bringUp(host)
    } catch {
      // It is not known any more, and begins anew when it calls.
    }
  }

  async #tell(host: Host): Promise<void> {
    while (!host.isReady) {
      if (host.isGone) throw unreachable()
      if (host.needsReset) await this.#reset(host)
      else await this.#tellUntold(host)
    }
  }

  async #reset(host: Host): Promise<void> {
    const { calls, reach, callbacks } = this.#options
    callbacks.dropHost(host)
    host.needsReset = false
    host.isDown = true
    if (!(await reach.tell(host, (at) => calls.initCallBackState(at, host.uuid !== undefined)))) {
      this.forget(host)
      throw unreachable()
    }
    // Breaks that could not be told meanwhile are told next.
    if (callbacks.untold(host).length === 0) host.isDown = false
  }

  async #tellUntold(host: Host): Promise<void> {
    const { calls, reach, callbacks } = this.#options
    const untold = callbacks.untold(host)
    for (let at = 0; at < untold.length && !host.needsReset; at += afsLimits.fids) {
      const fids: AFSFid[] = untold.slice(at, at + afsLimits.fids)
      const callbacksOf = fids.map(() => dropped)
      if (!(await reach.tell(host, (address) => calls.callBack(address, fids, callbacksOf)))) {
        callbacks.requireReset(host)
        throw unreachable()
      }
      callbacks.told(host, fids)
    }
    if (callbacks.untold(host).length === 0) host.isDown = false
  }

  /** A host is not known any more; its promises are void. The address of somebody who is about to be known is `kept`. */
  forget(host: Host, kept?: HostAddress): void {
    this.#options.callbacks.dropHost(host)
    this.#options.register.remove(host)
    this.#release(host, kept)
  }

  /** Forgets a host and tells it that it was, if it hears. Never rejects. */
  async retire(host: Host): Promise<void> {
    const { calls, register, callbacks } = this.#options
    const at = host.addresses[0]
    callbacks.dropHost(host)
    register.remove(host)
    try {
      if (at !== undefined) await calls.initCallBackState(at, host.uuid !== undefined)
    } catch {
      // It hears when it comes back.
    }
    this.#release(host)
  }

  #release({ addresses }: Host, kept?: HostAddress): void {
    const { calls, register } = this.#options
    for (const at of addresses) {
      const isKept = kept !== undefined && at.host === kept.host && at.port === kept.port
      if (!isKept && register.at(at) === undefined) calls.release(at)
    }
  }
}

const unreachable = (): RpcError =>
  new RpcError(rxCodes.callDead, "callback", { detail: "the host does not answer calls of its server" })
