/** The records of a vnode index as the plan wants them, and what has to be written for that. */
import { newVnodeIndex } from "../common/vnode/vnode-index.ts"
import { accessListOffset, classOf, recordOffset, type VnodeClass, vnodeClasses } from "../common/vnode/vnode-record.ts"
import type { VolumeModel } from "./model.ts"

interface RecordWrite {
  readonly offset: number
  readonly bytes: Uint8Array
}

/** Records near one another, which are written together: one call takes longer than the bytes between them. */
export interface RecordSpan {
  readonly start: number
  end: number
  readonly writes: RecordWrite[]
}

const gapMax = 4096
const spanMax = 1 << 20

/** All that has to be written to an index, in the order of offsets; of several writes of one record the last counts. */
export function recordSpans(volume: VolumeModel, cls: VnodeClass): RecordSpan[] {
  const writes = [...recordWrites(volume, cls)]
  const spans: RecordSpan[] = []
  for (const write of writes.toSorted((a, b) => a.offset - b.offset)) {
    const last = spans.at(-1)
    const end = write.offset + write.bytes.length
    if (last !== undefined && write.offset - last.end <= gapMax && end - last.start <= spanMax) {
      last.writes.push(write)
      last.end = Math.max(last.end, end)
    } else spans.push({ start: write.offset, end, writes: [write] })
  }
  return spans
}

/** What has to be written to an index: changed records, access lists, and zeros over records that go. */
function* recordWrites(volume: VolumeModel, cls: VnodeClass): Generator<RecordWrite> {
  const { vnodes, accessLists, garbage } = volume
  const { recordSize } = vnodeClasses[cls]
  for (const vnode of garbage)
    if (classOf(vnode) === cls) yield { offset: recordOffset(vnode), bytes: new Uint8Array(recordSize) }
  for (let slot = vnodes.nextInDoubt(-1); slot >= 0; slot = vnodes.nextInDoubt(slot)) {
    const isFreed = vnodes.has(slot, "freed")
    const isChanged = vnodes.has(slot, "changed")
    const vnode = vnodes.vnode(slot)
    if (classOf(vnode) !== cls) continue
    const offset = recordOffset(vnode)
    const list = accessLists.get(vnode)
    if (isFreed) yield { offset, bytes: new Uint8Array(recordSize) }
    else if (isChanged) yield { offset, bytes: recordBytes(vnodes.bytes(slot), list) }
    else if (list !== undefined) yield { offset: offset + accessListOffset, bytes: list }
  }
}

/** Where an index may end: behind the last record that is used. */
export function endOfRecords(volume: VolumeModel, cls: VnodeClass): number {
  let end = newVnodeIndex(cls).length
  for (const slot of volume.vnodes.live()) {
    const vnode = volume.vnodes.vnode(slot)
    if (classOf(vnode) === cls) end = Math.max(end, recordOffset(vnode) + vnodeClasses[cls].recordSize)
  }
  return end
}

/** All bytes of a record as planned; zeros for one that is not in use. */
export function wholeRecord(volume: VolumeModel, vnode: number): Uint8Array {
  const bytes = new Uint8Array(vnodeClasses[classOf(vnode)].recordSize)
  const slot = volume.vnodes.find(vnode)
  if (slot >= 0) bytes.set(recordBytes(volume.vnodes.bytes(slot), volume.accessLists.get(vnode)))
  return bytes
}

function recordBytes(record: Uint8Array, list: Uint8Array | undefined): Uint8Array {
  if (list === undefined) return record.slice()
  const bytes = new Uint8Array(accessListOffset + list.length)
  bytes.set(record)
  bytes.set(list, accessListOffset)
  return bytes
}
