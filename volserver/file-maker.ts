/**
 * Makes the many small files of a restore with a thread beside the one that reads the dump: making a file is nearly all system
 * calls, and two processors make twice as many. Counts are raised, and taken back after a failure, in the main thread.
 *
 * A batch goes to the thread if a slot is free; else the caller makes its files, rather than wait.
 */
import { setImmediate as nextTurn } from "node:timers/promises"
import { Worker } from "node:worker_threads"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { type Inode, inodeParts } from "../common/partition/inode-number.ts"
import type { InodeStore } from "../common/partition/inode-store.ts"
import type { VolumeTransaction } from "../common/volume/volume-transaction.ts"
import { FileBatch, newBatchMemory } from "./file-batch.ts"
import type { InodeList } from "./inode-list.ts"
import { controlBytes, type MakerStart, MakerState } from "./maker-state.ts"

/** One that is being worked on, and one that waits: the thread never runs dry. */
const slotCount = 2
/** Between looks whether the thread is still there. */
const patienceMs = 20

interface Posted {
  readonly transaction: VolumeTransaction
  readonly batch: FileBatch
  readonly count: number
}

export class FileMaker {
  readonly #store: InodeStore
  readonly #state: MakerState
  readonly #thread: Worker
  readonly #posted = new Map<number, Posted>()
  /** Batches that nobody uses, by slot. */
  readonly #batches: readonly FileBatch[]
  readonly #made: InodeList
  #next = 0
  /** Vnode numbers, without their low 9 bits, whose folder was prepared last. */
  #folder = -1
  #isGone = false

  /** Starts the thread. `made` gets every file that is there to stay. The partition must be on the machine's disk. */
  constructor(store: InodeStore, made: InodeList) {
    const control = new SharedArrayBuffer(controlBytes(slotCount))
    this.#state = new MakerState(control)
    this.#batches = Array.from({ length: slotCount }, () => new FileBatch(newBatchMemory()))
    this.#made = made
    this.#store = store
    const batches = this.#batches.map(({ memory }) => memory)
    const { ownerEncoding, owner } = store.partition
    const workerData: MakerStart = { root: store.root, place: { ownerEncoding, owner }, control, batches }
    this.#thread = new Worker(new URL("./file-maker-thread.js", import.meta.url), { workerData })
    this.#thread.on("error", () => undefined) // the main thread makes the files that it leaves
    this.#thread.on("exit", () => {
      this.#isGone = true
    })
    this.#thread.unref()
  }

  /** False where a thread cannot reach the disk. */
  static canServe(store: InodeStore): boolean {
    return store.partition.disk === nodeDisk
  }

  /** A batch to fill for the thread; undefined if it has enough to do or is not up yet. @throws what befell an earlier batch */
  free(): FileBatch | undefined {
    this.#collect()
    const isFree = this.#state.isReady && !this.#isGone && !this.#posted.has(this.#next)
    return isFree ? this.#batches[this.#next] : undefined
  }

  /** Gives the thread the batch that `free` gave, and the transaction that has raised the counts of its files. */
  post(batch: FileBatch, count: number, transaction: VolumeTransaction): void {
    for (let index = 0; index < count; index++) this.#prepareFolder(batch.inode(index))
    this.#posted.set(this.#next, { transaction, batch, count })
    this.#state.post(this.#next, count)
    this.#next = (this.#next + 1) % slotCount
  }

  /** Waits until every file is made. @throws DiskError as making them does */
  async finish(): Promise<void> {
    for (const slot of [...this.#posted.keys()]) {
      while (!this.#state.waitForEnd(slot, patienceMs) && !this.#isGone) await nextTurn()
    }
    this.#collect()
  }

  /** Ends the thread. What it made and nobody has taken over is taken back. */
  async end(): Promise<void> {
    for (let failures = 0; this.#posted.size > 0 && failures <= slotCount; failures++) {
      await this.finish().catch(() => undefined) // the failure that led here, or one that came too late to matter
    }
    for (let slot = 0; slot < slotCount; slot++) this.#state.set(slot, "ended")
  }

  /** Folders hold 512 vnode numbers each: neighbours have the same. */
  #prepareFolder(inode: Inode): void {
    const folder = inodeParts(inode).vnode >>> 9
    if (folder === this.#folder) return
    this.#store.prepareFolders(inode)
    this.#folder = folder
  }

  #collect(): void {
    for (const [slot, posted] of this.#posted) {
      const step = this.#state.step(slot)
      if (step === "posted" && !this.#isGone) continue
      this.#posted.delete(slot)
      this.#takeOver(slot, posted, step === "done")
      this.#state.set(slot, "free")
    }
  }

  /** @throws DiskError for a batch that failed; its files are taken back */
  #takeOver(slot: number, { transaction, batch, count }: Posted, isDone: boolean): void {
    using open = transaction
    const made = isDone ? count : this.#state.made(slot)
    for (let index = 0; index < made; index++) open.adopt(batch.inode(index), batch.dataVersion(index))
    if (!isDone) throw this.#isGone ? new Error("the thread that makes files has ended") : this.#state.failure()
    open.commit()
    for (let index = 0; index < made; index++) this.#made.push(batch.inode(index))
  }
}
