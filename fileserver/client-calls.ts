/**
 * What a fileserver asks of cache managers, at an address. The calls leave through the port that serves: a cache manager knows
 * its fileserver by address and port. OpenAFS fsint/afscbint.xg.
 */
import type { AFSCallBack, AFSFid, InterfaceAddr } from "../common/protocol/afs-types.ts"
import { RXAFSCB } from "../common/protocol/afscbint.ts"
import { rpcClient } from "../common/rpc/client.ts"
import { isRpcError, type RpcCall } from "../common/rpc/rpc-call.ts"
import type { RxTiming } from "../common/rx/limits.ts"
import type { HostAddress } from "./host.ts"

/** How a cache manager describes itself. */
interface SelfDescription {
  readonly addr: InterfaceAddr
  readonly capabilities: readonly number[]
}

/** Every call rejects with an RpcError: -1 for no answer, -455 for a call that the client does not know. */
export interface ClientCalls {
  tellMeAboutYourself(at: HostAddress): Promise<SelfDescription>
  whoAreYou(at: HostAddress): Promise<InterfaceAddr>
  /** Forget all promises; with the client's kind of call: by the server's UUID if the client has one itself. */
  initCallBackState(at: HostAddress, hasUuid: boolean): Promise<void>
  /** True if the client there is the one with this UUID; without one, if anybody answers. */
  probe(at: HostAddress, uuid: string | undefined): Promise<boolean>
  callBack(at: HostAddress, fids: readonly AFSFid[], callbacks: readonly AFSCallBack[]): Promise<void>
  /** Nobody is called at this address any more. */
  release(at: HostAddress): void
}

/** A connection of the transport, to calls of ours. */
interface CallbackConnection {
  /** Not 0: it cannot be used any more. */
  readonly error: number
  newCall(): RpcCall
  close(): void
}

/** Makes connections; an Rx endpoint is one. */
export interface Connector {
  connect(
    host: number,
    port: number,
    serviceId: number,
    options: { readonly timing: Partial<RxTiming> },
  ): CallbackConnection
}

/**
 * A client that calls may take its time while it gives signs of life. One that is to be told of a change has others wait for it,
 * so its silence counts sooner. OpenAFS viced/host.c (rx_SetConnDeadTime, AFS_HARDDEADTIME), viced/callback.c.
 */
const callbackTiming = {
  patient: { deadMs: 50_000, hardMs: 120_000 },
  brisk: { deadMs: 6_000, hardMs: 120_000 },
} as const
/** What ProbeUuid gives where another client is at home. */
const anotherClient = 1

type Patience = keyof typeof callbackTiming

type Lines = Partial<Record<Patience, CallbackConnection>>

/** Calls over the connections of an endpoint; two for each address, made when first needed. */
export function rxClientCalls(connector: Connector, serverUuid: string): ClientCalls {
  const lines = new Map<number, Lines>()
  const keyOf = ({ host, port }: HostAddress): number => host * 65_536 + port
  const lineOf = (at: HostAddress, patience: Patience): CallbackConnection => {
    const known = lines.get(keyOf(at)) ?? {}
    lines.set(keyOf(at), known)
    const line = known[patience]
    if (line !== undefined && line.error === 0) return line
    line?.close()
    const made = connector.connect(at.host, at.port, RXAFSCB.service, { timing: callbackTiming[patience] })
    known[patience] = made
    return made
  }
  // One set of stubs serves all connections: a stub makes its call before it first waits.
  let next: CallbackConnection | undefined
  const stubs = rpcClient(RXAFSCB, {
    newCall() {
      if (next === undefined) throw new Error("no connection to call over")
      return next.newCall()
    },
  })
  const over = (at: HostAddress, patience: Patience): typeof stubs => {
    next = lineOf(at, patience)
    return stubs
  }
  return {
    async tellMeAboutYourself(at) {
      return await over(at, "patient").TellMeAboutYourself()
    },
    async whoAreYou(at) {
      return (await over(at, "patient").WhoAreYou()).addr
    },
    async initCallBackState(at, hasUuid) {
      const calls = over(at, "brisk")
      await (hasUuid ? calls.InitCallBackState3({ serverUuid }) : calls.InitCallBackState())
    },
    async probe(at, uuid) {
      const calls = over(at, "brisk")
      try {
        await (uuid === undefined ? calls.Probe() : calls.ProbeUuid({ clientUuid: uuid }))
        return true
      } catch (error) {
        if (isRpcError(error, anotherClient)) return false
        throw error
      }
    },
    async callBack(at, fids, callbacks) {
      await over(at, "brisk").CallBack({ Fids_Array: [...fids], CallBacks_Array: [...callbacks] })
    },
    release(at) {
      const known = lines.get(keyOf(at))
      lines.delete(keyOf(at))
      for (const line of Object.values(known ?? {})) line.close()
    },
  }
}
