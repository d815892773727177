/** Requests in OpenAFS's form: a head of 40 bytes and a structure of fixed length that the command implies. */
import { channelClose, fssyncCommands, partitionNameMax, type SyncRequest } from "./message.ts"
import type { SyncCall } from "./message-codec.ts"
import {
  openafsFlags,
  openafsVersion,
  type RequestKind,
  requestHeadLayout,
  requestPayloadLayouts,
} from "./openafs-layouts.ts"

/** Fields of a request that come from its structure. */
type PayloadFields = Pick<SyncRequest, "volume" | "partition" | "parent" | "vnode" | "unique">

const none: PayloadFields = { volume: 0, partition: "", parent: 0, vnode: 0, unique: 0 }

/** How one kind of structure and our fields correspond. */
interface PayloadCodec {
  readonly size: number
  read(bytes: Uint8Array, at: number): PayloadFields
  write(request: PayloadFields, bytes: Uint8Array, at: number): void
}

const layouts = requestPayloadLayouts
const unused = new Uint8Array(24)

const codecs: Readonly<Record<RequestKind, PayloadCodec>> = {
  volume: {
    size: layouts.volume.size,
    read: (bytes, at) => ({ ...none, ...layouts.volume.read(bytes, at) }),
    write: (request, bytes, at) => layouts.volume.write(request, bytes, at),
  },
  statistics: {
    size: layouts.statistics.size,
    read: (bytes, at) => ({ ...none, ...layouts.statistics.read(bytes, at) }),
    write: (request, bytes, at) => layouts.statistics.write(request, bytes, at),
  },
  number: {
    size: layouts.number.size,
    read: (bytes, at) => ({ ...none, volume: layouts.number.read(bytes, at).number }),
    write: ({ volume }, bytes, at) => layouts.number.write({ number: volume, unused: unused.subarray(12) }, bytes, at),
  },
  nothing: { size: layouts.nothing.size, read: () => none, write: () => undefined },
  vnode: {
    size: layouts.vnode.size,
    // the name is not looked at, and need not be one
    read: (bytes, at) => {
      const { volume, vnode, unique } = layouts.vnode.read(bytes, at)
      return { ...none, volume, vnode, unique }
    },
    write: (request, bytes, at) => layouts.vnode.write({ ...request, spare: 0 }, bytes, at),
  },
  group: {
    size: layouts.group.size,
    read: (bytes, at) => {
      const { parent, child, partition } = layouts.group.read(bytes, at)
      return { ...none, parent, volume: child, partition }
    },
    write: ({ parent, volume, partition }, bytes, at) =>
      layouts.group.write({ parent, child: volume, partition }, bytes, at),
  },
  salvage: {
    size: layouts.salvage.size,
    read: (bytes, at) => {
      const { priority, volume, parent, partition } = layouts.salvage.read(bytes, at)
      return { ...none, vnode: priority, volume, parent, partition }
    },
    write: ({ vnode, volume, parent, partition }, bytes, at) => {
      const fields = { version: openafsVersion, priority: vnode, volume, parent, partition, reserved: unused }
      layouts.salvage.write(fields, bytes, at)
    },
  },
}

/** Bytes of a request's head. */
export const requestHeadSize = requestHeadLayout.size

/** Bytes of a whole request. */
export function requestSize(kind: RequestKind | undefined): number {
  return requestHeadSize + (kind === undefined ? 0 : codecs[kind].size)
}

/** Commands whose request is shown to others later, byte for byte. */
const isCheckout = (command: number): boolean =>
  command === fssyncCommands.VOL_OFF || command === fssyncCommands.VOL_NEEDVOLUME

/**
 * The request at `at`, of which so many bytes are there; without a kind, its head only. Its number is the sender's sequence
 * number, which the answer repeats.
 */
export function readRequest(kind: RequestKind | undefined, bytes: Buffer, at: number): SyncCall {
  const { commandSequence: id, programType, pid, thread, command, reason } = requestHeadLayout.read(bytes, at)
  const payload = kind === undefined ? none : codecs[kind].read(bytes, at + requestHeadSize)
  const call: SyncCall = { id, command, reason, programType, pid, thread, ...payload }
  if (!isCheckout(command) || kind === undefined) return call
  return { ...call, frame: Uint8Array.prototype.slice.call(bytes, at, at + requestSize(kind)) }
}

/** @throws TypeError for a partition's name that does not fit into OpenAFS's 16 bytes */
export function requireName({ partition }: SyncRequest): void {
  if (partition.length <= partitionNameMax) return
  throw new TypeError(`request.partition: found ${partition.length} characters, wanted at most ${partitionNameMax}`)
}

/** A request as bytes. `sequence` counts what this client has sent. */
export function encodeRequest(kind: RequestKind | undefined, request: SyncRequest, sequence: number): Buffer {
  const length = requestSize(kind)
  const bytes = Buffer.alloc(length)
  const isFarewell = request.command === channelClose
  requestHeadLayout.write(
    {
      ...request,
      version: openafsVersion,
      packetSequence: sequence,
      commandSequence: sequence,
      length,
      flags: openafsFlags.dafsExtensions | (isFarewell ? openafsFlags.channelShutdown : 0),
    },
    bytes,
  )
  if (kind !== undefined) codecs[kind].write(request, bytes, requestHeadSize)
  return bytes
}

/** The request of a checkout as OpenAFS's programs have to see it: as it came, or as its sender would have sent it. */
export function checkoutFrame(request: SyncRequest): Uint8Array {
  return request.frame ?? encodeRequest("volume", request, 0)
}

/** The request of a checkout, from its bytes. */
export function readRequestFrame(frame: Uint8Array): SyncRequest {
  const { id: _, frame: __, ...request } = readRequest("volume", Buffer.from(frame), 0)
  return request
}
