/**
 * A client of a fileserver for tests: stubs of RXAFS over a socket of its own, and the service that a fileserver calls back.
 * What the fileserver asks is noted; what it is answered can be changed.
 */
import { setTimeout as after } from "node:timers/promises"
import type { AFSCallBack, AFSFid } from "../../common/protocol/afs-types.ts"
import { RXAFSCB } from "../../common/protocol/afscbint.ts"
import { type AFSStoreStatus, RXAFS } from "../../common/protocol/afsint.ts"
import { type BulkSource, pieces } from "../../common/rpc/bulk-stream.ts"
import { rpcClient, type Stubs } from "../../common/rpc/client.ts"
import { RpcError } from "../../common/rpc/rpc-call.ts"
import { rpcService } from "../../common/rpc/service.ts"
import type { Connection } from "../../common/rx/connection.ts"
import { openRxSocket, type RxSocket } from "../../common/rx/socket.ts"

/** A call that the fileserver made. */
export interface CallFromServer {
  readonly name: string
  readonly fids?: readonly AFSFid[]
  readonly callbacks?: readonly AFSCallBack[]
}

export interface RxafsClientOptions {
  readonly host: number
  readonly port: number
  readonly uuid: string
  /** The words that TellMeAboutYourself answers; [1]: errors are wanted translated. */
  readonly capabilities?: readonly number[]
}

export interface RxafsClient extends AsyncDisposable {
  readonly fs: Stubs<(typeof RXAFS)["operations"]>
  readonly socket: RxSocket
  readonly connection: Connection
  /** What the fileserver has called since it was looked at last. */
  takeCalls(): CallFromServer[]
  /** The same without those that tell who is there: breaks only. */
  takeBreaks(): CallFromServer[]
  /** Stubs over a further connection of the same socket. */
  further(): Stubs<(typeof RXAFS)["operations"]>
}

const thirtyOne = Array<number>(31).fill(0)

export async function openRxafsClient(options: RxafsClientOptions): Promise<RxafsClient> {
  const { host, port, uuid, capabilities = [1] } = options
  const socket = await openRxSocket()
  const calls: CallFromServer[] = []
  const note = (name: string) => (): void => {
    calls.push({ name })
  }
  const addr = {
    numberOfInterfaces: 1,
    uuid,
    addr_in: [host, ...thirtyOne],
    subnetmask: [0xffff_ff00, ...thirtyOne],
    mtu: [1500, ...thirtyOne],
  }
  const service = rpcService(
    RXAFSCB,
    {
      TellMeAboutYourself() {
        calls.push({ name: "TellMeAboutYourself" })
        return { addr, capabilities: [...capabilities] }
      },
      InitCallBackState3: note("InitCallBackState3"),
      ProbeUuid: note("ProbeUuid"),
      CallBack(ask) {
        calls.push({ name: "CallBack", fids: ask.Fids_Array, callbacks: ask.CallBacks_Array })
      },
    },
    {
      log: {
        error(facts) {
          throw new Error(JSON.stringify(facts))
        },
      },
    },
  )
  socket.endpoint.register(service)
  const connection = socket.endpoint.connect(host, port, RXAFS.service)
  const take = (): CallFromServer[] => calls.splice(0, calls.length)
  return {
    fs: rpcClient(RXAFS, connection),
    socket,
    connection,
    takeCalls: take,
    takeBreaks: () => take().filter(({ name }) => name === "CallBack"),
    further: () => rpcClient(RXAFS, socket.endpoint.connect(host, port, RXAFS.service)),
    [Symbol.asyncDispose]: () => socket.close(),
  }
}

/** The code that a call ends with, 0 if it succeeds. */
export async function codeOf(call: Promise<unknown>): Promise<number> {
  try {
    await call
    return 0
  } catch (error) {
    if (error instanceof RpcError) return error.code
    throw error
  }
}

/** All bytes of a bulk stream. */
export async function collect(bulk: BulkSource): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const piece of pieces(bulk)) parts.push(piece)
  return Buffer.concat(parts)
}

const unchanged: AFSStoreStatus = { Mask: 0, ClientModTime: 0, Owner: 0, Group: 0, UnixModeBits: 0, SegSize: 0 }

/** A status to store: only what is given, with its mask. */
export function storeStatus(fields: {
  readonly modTime?: number
  readonly owner?: number
  readonly group?: number
  readonly mode?: number
  readonly fsync?: boolean
}): AFSStoreStatus {
  const { modTime, owner, group, mode, fsync = false } = fields
  const bit = (value: unknown, mask: number): number => (value === undefined ? 0 : mask)
  return {
    ...unchanged,
    Mask: bit(modTime, 1) | bit(owner, 2) | bit(group, 4) | bit(mode, 8) | (fsync ? 1024 : 0),
    ClientModTime: modTime ?? 0,
    Owner: owner ?? 0,
    Group: group ?? 0,
    UnixModeBits: mode ?? 0,
  }
}

/** Waits until something is so; fails after five seconds. */
export async function eventually(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let round = 0; round < 250; round++) {
    if (await isSo()) return
    await after(20)
  }
  throw new Error(`${what}: not within 5 s`)
}
