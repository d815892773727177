/**
 * Storing into a file: bytes come over several turns while the vnode's lock is held for writing. OpenAFS
 * viced/afsfileprocs.c (StoreData_RXStyle), vol/vnode.c; lengths as docs/serving.md has them.
 *
 * A file of one volume alone is written in place: cut first, then written, and its record at the end; what a crash leaves in
 * between has the file's own length, which a salvage takes over. A file that clones share is copied, and stays what it was for
 * this volume too until the record that names the copy is written.
 */
import { type DiskFile, isDiskError } from "../disk/disk.ts"
import { AfsError } from "../error.ts"
import type { Inode } from "../partition/inode-number.ts"
import type { Vnode } from "../vnode/vnode.ts"
import { lengthHalves } from "../vnode/vnode-record.ts"
import { fileCallError } from "./damage.ts"
import type { Eventually } from "./handover.ts"
import { failure, nextVersion } from "./names.ts"
import { changedStatus, type StatusChanges } from "./status-change.ts"
import { VolumeChange } from "./volume-change.ts"
import type { VolumeCore } from "./volume-core.ts"
import { blocksOf } from "./volume-info.ts"

/** A StoreData's arguments; lengths and positions in bytes. */
export interface StoreRequest extends StatusChanges {
  readonly position: number
  /** Bytes that will come. */
  readonly length: number
  /** Bytes behind this are cut off; beyond the present length it means nothing. */
  readonly fileLength: number
  readonly author: number
  /** The client wants the bytes on the platter before the reply (docs/serving.md). */
  readonly fsync: boolean
  /** False: nobody wants the store any more, and the copying of a shared file ends. */
  readonly isWanted?: (() => boolean) | undefined
}

/** Bytes on their way into a file. Hold the vnode's lock for writing from before `beginStore` until after `end`. */
export interface Store extends Disposable {
  /** Bytes taken so far. */
  readonly received: number
  /**
   * Takes the next bytes; what is more than the announced length is left out. They are in the file when it returns.
   * @throws AfsError VDISKFULL, EFBIG, VIO: what was written before stays, and `end` still has to be called
   */
  write(bytes: Uint8Array): void
  /** Settles length, data version and record, however many bytes came. Once; disposing of the store without it does it too. */
  end(): void
}

/** Shared files up to this size are copied at once; larger ones while the event loop goes on. */
const copiedAtOnce = 1 << 20
const copyPiece = 1 << 20
/** Holes are looked for in pieces of this size. */
const holePiece = 65_536
const zeros = new Uint8Array(holePiece)
/** Lengths up to here are exact numbers; no partition has room for more. */
const lengthMax = Number.MAX_SAFE_INTEGER
/** An announced growth of so many KiB is compared with what the file system has left before anything is changed. */
const largeGrowth = 64

interface Copy {
  readonly inode: Inode
  readonly file: DiskFile
}

/** @throws AfsError EISDIR, EINVAL, VOVERQUOTA, VDISKFULL, VREADONLY: nothing was changed */
export function beginStore(core: VolumeCore, vnode: Vnode, request: StoreRequest): Eventually<Store> {
  core.settle()
  core.requireWritable("storeData")
  requireRoomForTransfer(core, vnode, "storeData")
  if (!vnode.isFile) throw failure(core, "EISDIR", "storeData", vnode, "only files take data")
  const kept = Math.min(request.fileLength, vnode.length)
  const end = request.position + request.length
  requireSpace(core, vnode, Math.max(kept, end))
  const old = core.dataFile(vnode)
  if (core.isExclusive(vnode)) {
    if (kept < vnode.length) core.calling("storeData", vnode, () => old.truncate(kept))
    return new FileStore(core, vnode, { request, kept, file: old, change: undefined, copy: undefined })
  }
  const change = new VolumeChange(core, "storeData")
  return copyThenStore(core, vnode, change, request, kept)
}

function requireSpace(core: VolumeCore, vnode: Vnode, length: number): void {
  const growth = blocksOf(length) - blocksOf(vnode.length)
  core.usage.require(growth, "store", core.id)
  if (growth < largeGrowth) return
  const { availableBytes, freeBytes } = core.calling("storeData", vnode, () =>
    core.partition.disk.space(core.partition.path),
  )
  const room = process.geteuid?.() === 0 ? freeBytes : availableBytes
  if (growth * 1024 > room || length > lengthMax)
    throw failure(core, "VDISKFULL", "storeData", vnode, `${room} bytes are free`)
}

function copyThenStore(
  core: VolumeCore,
  vnode: Vnode,
  change: VolumeChange,
  request: StoreRequest,
  kept: number,
): Eventually<Store> {
  try {
    using pin = keptOpen(core, vnode)
    const copy = change.makeCopy(vnode, new Uint8Array(0))
    const store = (): Store => new FileStore(core, vnode, { request, kept, file: copy.file, change, copy })
    if (kept > copiedAtOnce) return copyLater(core, vnode, change, request, kept, copy).then(store)
    core.calling("storeData", vnode, () => copyNow(pin.file, copy.file, kept))
    return store()
  } catch (error) {
    change[Symbol.dispose]()
    throw error
  }
}

/** @throws AfsError VBUSY if so many files are kept open by transfers already that others would find none */
function requireRoomForTransfer(core: VolumeCore, vnode: Vnode, operation: string): void {
  if (core.caches.dataFiles.isFull) throw failure(core, "VBUSY", operation, vnode, "too many transfers")
}

interface PinnedFile extends Disposable {
  readonly file: DiskFile
}

/** The data file of a vnode for a transfer, which stays open. @throws AfsError VBUSY if there are too many */
export function pinned(core: VolumeCore, vnode: Vnode): PinnedFile {
  requireRoomForTransfer(core, vnode, "readData")
  return keptOpen(core, vnode)
}

function keptOpen(core: VolumeCore, vnode: Vnode): PinnedFile {
  const file = core.dataFile(vnode)
  const pin = core.caches.dataFiles.pin(vnode)
  return { file, [Symbol.dispose]: () => pin[Symbol.dispose]() }
}

function copyNow(from: DiskFile, to: DiskFile, length: number): void {
  const bytes = new Uint8Array(Math.min(length, copyPiece))
  for (let at = 0; at < length; at += bytes.length) {
    const piece = bytes.subarray(0, Math.min(bytes.length, length - at))
    writeNoHoles(to, piece.subarray(0, from.read(piece, at)), at)
  }
  if (length > 0) to.truncate(length)
}

/** Holes stay holes. */
function writeNoHoles(to: DiskFile, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length; at += holePiece) {
    const piece = bytes.subarray(at, at + holePiece)
    if (Buffer.compare(piece, zeros.subarray(0, piece.length)) !== 0) to.write(piece, position + at)
  }
}

async function copyLater(
  core: VolumeCore,
  vnode: Vnode,
  change: VolumeChange,
  { isWanted = () => true }: StoreRequest,
  length: number,
  copy: Copy,
): Promise<void> {
  using pin = keptOpen(core, vnode)
  try {
    const bytes = new Uint8Array(copyPiece)
    for (let at = 0; at < length; at += bytes.length) {
      core.requireUsable()
      if (!isWanted()) throw failure(core, "INTERRUPTED", "storeData", vnode)
      const piece = bytes.subarray(0, Math.min(bytes.length, length - at))
      const count = await pin.file.readLater(piece, at)
      await writeNoHolesLater(copy.file, piece.subarray(0, count), at)
    }
    copy.file.truncate(length)
  } catch (error) {
    change[Symbol.dispose]()
    throw fileCallError(error, "storeData", core.subject(vnode.number))
  }
}

async function writeNoHolesLater(to: DiskFile, bytes: Uint8Array, position: number): Promise<void> {
  const isHole =
    Buffer.compare(bytes.subarray(0, holePiece), zeros.subarray(0, Math.min(holePiece, bytes.length))) === 0
  if (isHole) writeNoHoles(to, bytes, position)
  else await to.writeLater(bytes, position)
}

interface StoreParts {
  readonly request: StoreRequest
  /** Bytes of the file that were kept before any came. */
  readonly kept: number
  readonly file: DiskFile
  /** Where a copy was made: the change that it belongs to. */
  readonly change: VolumeChange | undefined
  readonly copy: Copy | undefined
}

class FileStore implements Store {
  readonly #core: VolumeCore
  readonly #vnode: Vnode
  readonly #parts: StoreParts
  /** A file in place stays open meanwhile; a copy belongs to its change, and counts as an open file. */
  readonly #pin: Disposable
  /** Blocks that were taken from the quota in advance, so that stores at the same time cannot all have them. */
  readonly #reserved: number
  #received = 0
  #failed = false
  #over = false

  constructor(core: VolumeCore, vnode: Vnode, parts: StoreParts) {
    const { request, kept, copy } = parts
    this.#core = core
    this.#vnode = vnode
    this.#parts = parts
    const { dataFiles } = core.caches
    this.#pin = copy === undefined ? dataFiles.pin(vnode) : dataFiles.hold()
    this.#reserved = blocksOf(Math.max(kept, request.position + request.length)) - blocksOf(vnode.length)
    core.usage.adjust(this.#reserved, 0)
  }

  get received(): number {
    return this.#received
  }

  write(bytes: Uint8Array): void {
    const { request, file } = this.#parts
    this.#core.requireUsable()
    const rest = request.length - this.#received
    const wanted = bytes.length > rest ? bytes.subarray(0, rest) : bytes
    const position = request.position + this.#received
    try {
      file.write(wanted, position)
      this.#received += wanted.length
    } catch (error) {
      this.#failed = true
      if (isDiskError(error) && error.offset !== undefined) this.#received += Math.max(0, error.offset - position)
      throw fileCallError(error, "storeData", this.#core.subject(this.#vnode.number))
    }
  }

  end(): void {
    if (this.#over) return
    this.#over = true
    const { change, request } = this.#parts
    try {
      this.#core.usage.adjust(-this.#reserved, 0)
      if (this.#vnode.isGone) throw new AfsError("VNOVNODE", "storeData", this.#core.subject(this.#vnode.number))
      using ending = change ?? new VolumeChange(this.#core, "storeData")
      this.#settle(ending, this.#settleLength())
      if (request.fsync && this.#core.caches.sync === "onclose") this.#core.caches.dataFiles.markUnsynced(this.#vnode)
    } catch (error) {
      // The bytes are in the file, and its record does not say so. A copy is thrown away instead.
      throw change === undefined && !this.#vnode.isGone ? this.#core.broken(error) : error
    } finally {
      change?.[Symbol.dispose]()
      this.#pin[Symbol.dispose]()
    }
  }

  /** For who fails, or forgot to end: a volume that broke has told of it, and there is an error that matters more. */
  [Symbol.dispose](): void {
    try {
      this.end()
    } catch (error) {
      if (!(error instanceof AfsError)) throw error
    }
  }

  /** The file's length from now on. */
  #settleLength(): number {
    const { request, kept, file } = this.#parts
    return this.#core.calling("storeData", this.#vnode, () => {
      const isExtended = request.length === 0 && request.position > kept
      if (isExtended) file.truncate(request.position)
      if (this.#failed) return file.stat().size
      return isExtended || this.#received > 0 ? Math.max(kept, request.position + this.#received) : kept
    })
  }

  #settle(change: VolumeChange, length: number): void {
    const { request, copy, file } = this.#parts
    const vnode = this.#vnode
    if (this.#core.caches.sync === "always") this.#core.calling("storeData", vnode, () => file.sync())
    const record = changedStatus(vnode, request)
    const { lengthLow, lengthHigh } = lengthHalves(length)
    record.lengthLow = lengthLow
    record.lengthHigh = lengthHigh
    record.dataVersion = nextVersion(record.dataVersion)
    record.author = request.author
    record.unixModifyTime = request.clientModTime ?? request.now
    record.serverModifyTime = request.now
    if (copy !== undefined) change.replaceData(vnode, copy, record)
    change.writeRecord(vnode, record)
    change.addBlocks(blocksOf(length) - blocksOf(vnode.length))
    change.countChanged()
    change.commit(request.now)
  }
}
