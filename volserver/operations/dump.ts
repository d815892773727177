/**
 * Dump of a volume as a stream, in constant memory; and the size of that stream, computed from the records alone.
 * OpenAFS volser/dumpstuff.c.
 */

import { type DiskFile, isDiskError } from "../../common/disk/disk.ts"
import {
  type DumpHeader,
  type DumpVnode,
  type DumpVolumeHeader,
  dumpEndSize,
  dumpVersion,
} from "../../common/dump/dump-tags.ts"
import {
  type DumpExtent,
  type DumpSink,
  DumpWriter,
  dumpedState,
  dumpHeadersSize,
  dumpVnodeSize,
  isDumpedInFull,
  unchangedVnodeSize,
} from "../../common/dump/dump-writer.ts"
import { FormatError } from "../../common/error.ts"
import { isNoInode } from "../../common/partition/inode-number.ts"
import { dataFileError } from "../../common/partition/inode-store.ts"
import { volumeTypes } from "../../common/protocol/codes.ts"
import { findAccessListFault } from "../../common/vnode/access-list.ts"
import { type IndexPiece, indexPieces } from "../../common/vnode/index-piece.ts"
import {
  accessListOffset,
  recordInode,
  recordLength,
  type VnodeClass,
  type VnodeRecord,
  vnodeRecordLayout,
} from "../../common/vnode/vnode-record.ts"
import type { Volume } from "../../common/volume/volume.ts"
import type { VolumeInfo } from "../../common/volume/volume-info.ts"
import { withVolume } from "../../fssync/volume-operation.ts"
import type { VolserverContext } from "../context.ts"
import { readVolume, type VolumePlace } from "../volume-list.ts"
import { shownName } from "../volume-name.ts"
import { cloneVolume } from "./clone.ts"
import { removeVolume } from "./remove.ts"

export interface DumpRequest {
  readonly place: VolumePlace
  /** Seconds since 1970: only what changed since; 0 for a full dump. */
  readonly from: number
  /** Leaves out directories that did not change. */
  readonly omitDirectories: boolean
  readonly sink: DumpSink
  /** Dumps a clone that is made for it, so that the volume is busy for a moment only. */
  readonly viaClone?: boolean | undefined
}

export interface DumpedVolume {
  readonly id: number
  readonly name: string
  readonly from: number
  /** State of the volume that the dump holds; the `from` of the next incremental dump. */
  readonly to: number
  /** Bytes of the stream. */
  readonly length: number
  /** Vnodes dumped in full. */
  readonly vnodes: number
}

/** Bytes of file data that are read at once. */
const pieceBytes = 256 * 1024
/** A vnode's attributes in the stream, about. */
const roughVnodeBytes = 60
const classes = ["large", "small"] as const satisfies readonly VnodeClass[]

/**
 * Dumps a volume.
 * @throws AfsError; FormatError if a data file is not as long as its vnode says. What the sink got is then no dump: it lacks
 * the end mark.
 */
export async function dumpVolume(context: VolserverContext, request: DumpRequest): Promise<DumpedVolume> {
  const viaClone = request.viaClone === true && isReadWrite(request.place) // a clone is served while it is dumped
  return viaClone ? dumpViaClone(context, request) : dumpAttached(context, request, request.place)
}

const isReadWrite = ({ partition, id }: VolumePlace): boolean => readVolume(partition, id).info.type === volumeTypes.RW

/** Dumps the volume at `place` under its own name, or that of the volume it was cloned from. */
async function dumpAttached(
  context: VolserverContext,
  request: DumpRequest,
  place: VolumePlace,
  name?: string,
): Promise<DumpedVolume> {
  const work = ({ volume }: { volume: Volume }): Promise<DumpedVolume> =>
    writeDump(context, volume, name === undefined ? volume.info : { ...volume.info, name }, request)
  return withVolume(context.claimant, place.partition, place.id, "CLONE", work, context.patience)
}

async function dumpViaClone(context: VolserverContext, request: DumpRequest): Promise<DumpedVolume> {
  const { partition, id: source } = request.place
  const { name } = readVolume(partition, source).info
  const wanted = { source: request.place, type: "RO", name: `${source}.dump`, offline: true, temporary: true } as const
  const { id } = await cloneVolume(context, wanted)
  try {
    const dumped = await dumpAttached(context, request, { partition, id }, name)
    return { ...dumped, id: source }
  } finally {
    await removeVolume({ ...context, pace: context.pace.undisturbed() }, { partition, id })
  }
}

/** Writes an attached volume's dump; `info` is what it says of itself. */
async function writeDump(
  context: VolserverContext,
  volume: Volume,
  info: VolumeInfo,
  request: DumpRequest,
): Promise<DumpedVolume> {
  const writer = new DumpWriter(request.sink)
  const extent: DumpExtent = { from: request.from, omitDirectories: request.omitDirectories }
  const header = dumpHeaderOf(info, request.from)
  writer.begin(header)
  writer.volume(volumeHeaderOf(info))
  const total = context.pace.isWatched ? roughSize(volume) : undefined
  const buffer = new Uint8Array(pieceBytes + 1)
  let vnodes = 0
  for (const vnode of dumpVnodes(volume)) {
    if (isDumpedInFull(vnode, extent)) {
      if (vnode.accessList !== undefined) tellOfAccessList(context, volume, vnode.vnode, vnode.accessList)
      writer.vnode(vnode)
      await writeData(context, volume, vnode, writer, buffer, total)
      vnodes++
    } else writer.unchanged(vnode.vnode, vnode.unique)
    const turn = context.pace.step({ unit: "bytes", done: writer.length, total })
    if (turn !== undefined) await turn
  }
  writer.end()
  return { id: volume.id, name: shownName(info.name), from: header.from, to: header.to, length: writer.length, vnodes }
}

/** The writer leaves out an access list that nobody could restore. */
function tellOfAccessList(context: VolserverContext, volume: Volume, vnode: number, list: Uint8Array): void {
  const fault = findAccessListFault(list)
  if (fault === undefined) return
  const what = `volume ${volume.id} vnode ${vnode}: its access list is left out of the dump, for it is damaged`
  context.notice(`${what}: ${fault.found} instead of ${fault.wanted}; dafs salvager mends it`)
}

/** Bytes of file data in the volume, and something for each vnode: for a progress bar. */
function roughSize(volume: Volume): number {
  let size = 0
  for (const cls of classes) {
    for (const piece of indexPieces(volume.index(cls).file, cls)) {
      for (let slot = 0; slot < piece.count; slot++) if (piece.used(slot)) size += piece.length(slot) + roughVnodeBytes
    }
  }
  return size
}

/** Size in bytes of the stream that dumpVolume would write. @throws as dumpVolume */
export async function dumpSize(context: VolserverContext, place: VolumePlace, extent: DumpExtent): Promise<number> {
  const work = ({ volume }: { volume: Volume }): Promise<number> => sizeOfDump(context, volume, extent)
  return withVolume(context.claimant, place.partition, place.id, "CLONE", work, context.patience)
}

async function sizeOfDump(context: VolserverContext, volume: Volume, extent: DumpExtent): Promise<number> {
  let size = dumpHeadersSize(dumpHeaderOf(volume.info, extent.from), volumeHeaderOf(volume.info)) + dumpEndSize
  const whole = volume.large.slotCount() + volume.small.slotCount()
  let done = 0
  for (const vnode of dumpVnodes(volume)) {
    size += isDumpedInFull(vnode, extent) ? dumpVnodeSize(vnode) : unchangedVnodeSize
    const turn = context.pace.step({ unit: "vnodes", done: done++, total: whole })
    if (turn !== undefined) await turn
  }
  return size
}

function dumpHeaderOf(info: VolumeInfo, from: number): DumpHeader {
  return { version: dumpVersion, volume: info.id, name: info.name, from, to: dumpedState(info) }
}

function volumeHeaderOf(info: VolumeInfo): DumpVolumeHeader {
  return { ...info, stampVersion: info.version, message: "" }
}

/** All vnodes in the order of a dump. */
function* dumpVnodes(volume: Volume): Generator<DumpVnode & { readonly record: VnodeRecord }> {
  for (const cls of classes) {
    for (const piece of indexPieces(volume.index(cls).file, cls)) {
      for (let slot = 0; slot < piece.count; slot++) if (piece.used(slot)) yield dumpVnodeAt(piece, slot)
    }
  }
}

function dumpVnodeAt(piece: IndexPiece, slot: number): DumpVnode & { readonly record: VnodeRecord } {
  const bytes = piece.record(slot)
  const record = vnodeRecordLayout.read(bytes)
  const { type, linkCount, dataVersion, unixModifyTime, author, owner, group, mode, parent, serverModifyTime } = record
  const attributes = { type, linkCount, dataVersion, unixModifyTime, author, owner, group, mode, parent }
  return {
    vnode: piece.vnode(slot),
    unique: record.uniquifier,
    ...attributes,
    serverModifyTime,
    accessList: piece.cls === "large" ? bytes.subarray(accessListOffset) : undefined,
    dataLength: isNoInode(recordInode(record)) ? undefined : recordLength(record),
    record,
  }
}

/** Copies a data file into the stream, a piece at a time. */
async function writeData(
  context: VolserverContext,
  volume: Volume,
  vnode: DumpVnode & { readonly record: VnodeRecord },
  writer: DumpWriter,
  buffer: Uint8Array,
  total: number | undefined,
): Promise<void> {
  const length = vnode.dataLength
  if (length === undefined) return
  using file = forVnode(volume, vnode.vnode, () => volume.store.open(recordInode(vnode.record), "read"))
  let at = 0
  do {
    const wanted = Math.min(pieceBytes, length - at)
    // One byte more is asked for than there should be: a file that is too long shows without another call.
    const room = at + wanted === length ? wanted + 1 : wanted
    const got = forVnode(volume, vnode.vnode, () => readPiece(file, buffer.subarray(0, room), wanted, at))
    if (got !== wanted) throw wrongLength(volume, vnode.vnode, file, length)
    if (wanted > 0) writer.data(buffer.subarray(0, wanted))
    at += wanted
    if (at < length) await context.pace.step({ unit: "bytes", done: writer.length, total })
  } while (at < length)
}

/** As DiskFile.read; but where `enough` came at once, nobody asks whether the file goes on. */
function readPiece(file: DiskFile, into: Uint8Array, enough: number, position: number): number {
  const got = file.readSome(into, position)
  return got >= enough ? got : got + file.read(into.subarray(got), position + got)
}

/** Runs a file call; its failure becomes one of the vnode. */
function forVnode<T>(volume: Volume, vnode: number, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw isDiskError(error) ? dataFileError(error, "dump", volume.id, vnode) : error
  }
}

function wrongLength(volume: Volume, vnode: number, file: DiskFile, wanted: number): FormatError {
  const what = `data file of vnode ${vnode} of volume ${volume.id}`
  return new FormatError(what, { path: file.path }, `${file.stat().size} bytes`, `${wanted} as its record says`)
}
