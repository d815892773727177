/**
 * What a cache manager answers its fileservers. A fileserver asks who is there before it serves anybody, and tells what has
 * changed; a client that did not answer would be served slowly, or not at all. OpenAFS afs/afs_callback.c.
 */
import { networkInterfaces } from "node:os"
import type { AFSFid, InterfaceAddr } from "../common/protocol/afs-types.ts"
import { afsLimits } from "../common/protocol/afs-types.ts"
import { clientCapabilities, RXAFSCB } from "../common/protocol/afscbint.ts"
import { RpcError } from "../common/rpc/rpc-call.ts"
import { rpcService, type Service } from "../common/rpc/service.ts"
import { parseHost } from "../common/rx/datagram-port.ts"

/** What a fileserver has to say. */
export interface CallbackEvents {
  /** These are not as they were; vnode 0 stands for all of a volume. */
  readonly onBreak?: (fids: readonly AFSFid[]) => void
  /** All that this fileserver promised is void. */
  readonly onReset?: () => void
}

export interface CallbackOptions extends CallbackEvents {
  readonly uuid: string
  /** False: errors come in the numbers of the server's system. */
  readonly translatesErrors?: boolean
}

const ethernetMtu = 1500
/** Another client has this address now. */
const notThatOne = 1

function filled(values: readonly number[]): number[] {
  return [...values, ...Array<number>(afsLimits.interfaceAddresses).fill(0)].slice(0, afsLimits.interfaceAddresses)
}

/** IPv4 addresses of this machine, loopback only if there is no other. */
export function interfaceAddress(uuid: string): InterfaceAddr {
  const all = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family }) => family === "IPv4")
  const outer = all.filter(({ internal }) => !internal)
  const used = (outer.length > 0 ? outer : all).slice(0, afsLimits.interfaceAddresses)
  return {
    numberOfInterfaces: used.length,
    uuid,
    addr_in: filled(used.map(({ address }) => parseHost(address) ?? 0)),
    subnetmask: filled(used.map(({ netmask }) => parseHost(netmask) ?? 0)),
    mtu: filled(used.map(() => ethernetMtu)),
  }
}

/** The RXAFSCB service of a client. */
export function callbackService(options: CallbackOptions): Service {
  const { uuid, translatesErrors = true } = options
  const addr = interfaceAddress(uuid)
  const capabilities = [translatesErrors ? clientCapabilities.errorTranslation : 0]
  const reset = (): void => options.onReset?.()
  return rpcService(
    RXAFSCB,
    {
      CallBack: ({ Fids_Array }) => options.onBreak?.(Fids_Array),
      InitCallBackState: reset,
      InitCallBackState3: reset,
      Probe: () => undefined,
      ProbeUuid({ clientUuid }) {
        if (clientUuid !== uuid) throw new RpcError(notThatOne, "ProbeUuid")
      },
      WhoAreYou: () => ({ addr }),
      TellMeAboutYourself: () => ({ addr, capabilities }),
    },
    // What callers of ours do wrong in their handlers ends the fileserver's call, and must be seen.
    { log: { error: (facts) => reportFault(facts) } },
  )
}

function reportFault(facts: object): void {
  queueMicrotask(() => {
    throw "err" in facts ? facts.err : new Error(JSON.stringify(facts))
  })
}
