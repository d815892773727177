/**
 * FetchData (130), FetchData64 (65537): bytes of a file, pages of a directory, target of a symbolic link. The vnode is locked
 * for reading while they are sent: status and data are of one moment.
 */
import { AfsError } from "../../common/error.ts"
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import type { BulkSink } from "../../common/rpc/bulk-stream.ts"
import type { RpcCall } from "../../common/rpc/rpc-call.ts"
import type { OpenData } from "../../common/volume/attached-volume.ts"
import type { Eventually } from "../../common/volume/handover.ts"
import { countRead } from "../../common/volume/volume-traffic.ts"
import { judgeFetchData } from "../access.ts"
import { lastly, then } from "../eventually.ts"
import { endWithVolume, onFid, type Request } from "../request.ts"
import type { RxafsProcedure, Serving } from "../serving.ts"
import { type HeldVnode, holdVnode } from "../vnode-turns.ts"
import { CallBuffer } from "./buffers.ts"
import type { PromisedStatus } from "./fetch-status.ts"

interface Range {
  readonly Fid: AFSFid
  /** First byte. */
  readonly Pos: number
  /** Bytes at most. */
  readonly Length: number
}

/**
 * Sends bytes from `from` on as fast as the network takes them, read a buffer at a time: at once what is in the page cache,
 * else when the disk has it, while others are served.
 */
function send(data: OpenData, bulk: BulkSink, buffer: Uint8Array, from: number, to: number): Eventually<void> {
  for (let at = from; at < to; ) {
    const piece = buffer.subarray(0, Math.min(buffer.length, to - at))
    const read = data.readSoon(piece, at)
    if (read instanceof Promise) {
      const on = (count: number) => then(put(bulk, piece, count, at), () => send(data, bulk, buffer, at + count, to))
      return read.then(on)
    }
    const wait = put(bulk, piece, read, at)
    at += read
    if (wait !== undefined) return wait.then(() => send(data, bulk, buffer, at, to))
  }
}

/** Sends what was read at a position. */
function put(bulk: BulkSink, piece: Uint8Array, count: number, at: number): Eventually<void> {
  if (count === 0)
    throw new AfsError("VIO", "fetchData", {}, { detail: `the data ends at ${at}, ${piece.length} wanted` })
  return bulk.write(piece.subarray(0, count))
}

/** Sends what there is of the range; gives how many bytes. */
function sendRange(request: Request, { vnode }: HeldVnode, range: Range, bulk: BulkSink): Eventually<number> {
  countRead(request.volume.attachment, request.trafficBy)
  const count = Math.max(0, Math.min(range.Length, vnode.length - range.Pos))
  bulk.begin(count)
  if (count === 0) return 0
  const data = request.volume.openData(vnode)
  const buffer = new CallBuffer(count)
  return lastly(
    () => then(send(data, bulk, buffer.bytes, range.Pos, range.Pos + count), () => count),
    () => {
      data[Symbol.dispose]()
      buffer[Symbol.dispose]()
    },
  )
}

function fetch(serving: Serving, call: RpcCall, bulk: BulkSink, range: Range): Eventually<PromisedStatus> {
  const { counters, clock } = serving
  counters.fetches++
  counters.fetchDatas++
  const before = (): void => {
    const detail = `position ${range.Pos}, length ${range.Length}`
    if (range.Pos < 0 || range.Length < 0) throw new AfsError("EFBIG", "fetchData", {}, { detail })
  }
  const work = (request: Request): Eventually<PromisedStatus> => {
    const find = () => {
      const vnode = request.find(range.Fid)
      request.require(judgeFetchData(vnode.record, request.sightOf(vnode)), vnode)
      return vnode
    }
    endWithVolume(request.use, call)
    const started = clock.now()
    return then(holdVnode(request, find, "read"), (held) =>
      lastly(
        () =>
          then(sendRange(request, held, range, bulk), (count) => {
            counters.fetchedBytes += count
            counters.fetchMs += clock.now() - started
            const { vnode } = held
            const OutStatus = request.statusOf(vnode, request.sightOf(vnode))
            return { OutStatus, CallBack: request.promise(vnode), Sync: request.sync }
          }),
        () => held.hold[Symbol.dispose](),
      ),
    )
  }
  return onFid(serving, call, range.Fid, work, before)
}

export const fetchData =
  (serving: Serving): RxafsProcedure<"FetchData"> =>
  (ask, call, bulk) =>
    fetch(serving, call, bulk, ask)

export const fetchData64 =
  (serving: Serving): RxafsProcedure<"FetchData64"> =>
  (ask, call, bulk) =>
    fetch(serving, call, bulk, ask)
