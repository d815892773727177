/**
 * StoreData (133), StoreData64 (65538): replaces a range of a file, then settles its length. The vnode is locked for writing
 * from the first check to the last byte, so that a client that asks again after its promise was broken sees the new data.
 */
import { AfsError } from "../../common/error.ts"
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import { type AFSFetchStatus, type AFSStoreStatus, type AFSVolSync, storeMask } from "../../common/protocol/afsint.ts"
import { codes } from "../../common/protocol/codes.ts"
import { type BulkSource, fill } from "../../common/rpc/bulk-stream.ts"
import { type RpcCall, RpcError } from "../../common/rpc/rpc-call.ts"
import type { Vnode } from "../../common/vnode/vnode.ts"
import type { Store } from "../../common/volume/attached-volume.ts"
import type { Eventually } from "../../common/volume/handover.ts"
import { countStore } from "../../common/volume/volume-traffic.ts"
import { judgeStoreData } from "../access.ts"
import { lastly, then } from "../eventually.ts"
import { afterTelling, endWithVolume, onFid, type Request } from "../request.ts"
import type { RxafsProcedure, Serving } from "../serving.ts"
import { storeChanges } from "../store-status.ts"
import { holdVnode } from "../vnode-turns.ts"
import { CallBuffer } from "./buffers.ts"

interface StoreAsk {
  readonly Fid: AFSFid
  readonly InStatus: AFSStoreStatus
  readonly Pos: number
  readonly Length: number
  readonly FileLength: number
}

interface StoreReply {
  readonly OutStatus: AFSFetchStatus
  readonly Sync: AFSVolSync
}

/** What a client gets that sends less than it announced: the negative of EPIPE, as OpenAFS sends it. */
const streamEndedEarly = -32
/** Positions and lengths of the old call end here. */
const oldLimit = 2 ** 31
/** On every packet of the call: the store is sure to fit. */
const willFit = 1
/** Of a call that is over: nobody gets it. */
const callDead = -1

/** Takes what comes, at most `wanted` bytes, and writes it a buffer at a time. */
function receive(store: Store, bulk: BulkSource, buffer: Uint8Array, wanted: number): Eventually<void> {
  for (let left = wanted; left > 0; ) {
    const target = buffer.subarray(0, Math.min(buffer.length, left))
    const filled = fill(bulk, target)
    if (filled instanceof Promise)
      return filled.then((count) => {
        if (count > 0) store.write(target.subarray(0, count))
        return count < target.length ? undefined : receive(store, bulk, buffer, left - count)
      })
    if (filled > 0) store.write(target.subarray(0, filled))
    if (filled < target.length) return
    left -= filled
  }
}

/** What has come stays in the file, also if the stream breaks or the disk is full: the record is settled in any case. */
function storeStream(store: Store, bulk: BulkSource, length: number): Eventually<void> {
  const buffer = new CallBuffer(length)
  const work = (): Eventually<void> => receive(store, bulk, buffer.bytes, length)
  return lastly(
    () => settled(store, work),
    () => buffer[Symbol.dispose](),
  )
}

function settled(store: Store, work: () => Eventually<void>): Eventually<void> {
  const fail = (error: unknown): never => {
    store.end()
    throw error
  }
  let result: Eventually<void>
  try {
    result = work()
  } catch (error) {
    return fail(error)
  }
  if (result instanceof Promise) return result.then(() => store.end(), fail)
  store.end()
}

function begin(request: Request, call: RpcCall, vnode: Vnode, ask: StoreAsk): Eventually<Store> {
  const { user } = request.caller
  return request.volume.beginStore(vnode, {
    position: ask.Pos,
    length: ask.Length,
    fileLength: ask.FileLength,
    author: user.id,
    fsync: (ask.InStatus.Mask & storeMask.fsync) !== 0,
    isWanted: () => !call.isOver,
    ...storeChanges(vnode.record, ask.InStatus, user, request.now),
  })
}

/** Stores into a vnode that is locked. */
function storeInto(
  request: Request,
  call: RpcCall,
  vnode: Vnode,
  ask: StoreAsk,
  bulk: BulkSource,
): Eventually<StoreReply> {
  const { counters, clock } = request.serving
  const started = clock.now()
  const before = vnode.record
  return then(begin(request, call, vnode, ask), (store) => {
    call.userStatus = willFit
    return lastly(
      () =>
        then(storeStream(store, bulk, ask.Length), () => {
          counters.storedBytes += store.received
          counters.storeMs += clock.now() - started
          countStore(request.volume.attachment, request.trafficBy, before)
          if (store.received < ask.Length) throw new RpcError(streamEndedEarly, "RXAFS_StoreData")
          const sight = request.sightOf(vnode)
          return { OutStatus: request.statusOf(vnode, sight), Sync: request.sync }
        }),
      () => store[Symbol.dispose](),
    )
  })
}

function store(serving: Serving, call: RpcCall, ask: StoreAsk, bulk: BulkSource): Eventually<StoreReply> {
  serving.counters.stores++
  serving.counters.storeDatas++
  const work = (request: Request): Eventually<StoreReply> => {
    request.requireWritable()
    const find = (): Vnode => {
      // Its client went while it waited for others: nothing of it has happened, and nothing shall.
      if (call.isOver) throw new RpcError(callDead, "RXAFS_StoreData")
      const vnode = request.find(ask.Fid)
      if (!vnode.isFile) throw new AfsError("EISDIR", "storeData", { volume: request.volume.id, vnode: vnode.number })
      request.require(judgeStoreData(vnode.record, request.sightOf(vnode), ask.InStatus), vnode)
      return vnode
    }
    endWithVolume(request.use, call)
    return then(holdVnode(request, find, "write"), ({ vnode, hold }) => {
      const told = request.tellOthers(vnode)
      const stored = lastly(
        () => storeInto(request, call, vnode, ask, bulk),
        () => hold[Symbol.dispose](),
      )
      return then(stored, (reply) => afterTelling(reply, told))
    })
  }
  return onFid(serving, call, ask.Fid, work)
}

export const storeData64 =
  (serving: Serving): RxafsProcedure<"StoreData64"> =>
  (ask, call, bulk) =>
    store(serving, call, ask, bulk)

/** Above its limits it fails before anything is looked at, whatever errors the client understands. */
export const storeData =
  (serving: Serving): RxafsProcedure<"StoreData"> =>
  (ask, call, bulk) => {
    if (Math.max(ask.Pos, ask.Length, ask.FileLength) >= oldLimit)
      throw new RpcError(codes.EFBIG.number, "RXAFS_StoreData")
    return store(serving, call, ask, bulk)
  }
