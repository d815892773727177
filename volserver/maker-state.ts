/**
 * What a file maker and its thread tell one another, in shared memory: messages would have to wait for a turn of the event
 * loop, which does not turn while a dump is read.
 *
 *     word 0             1 once the thread waits for work
 *     per slot 3 words   step, number of files, files made so far
 *     text               of the failure, as JSON
 */
import { DiskError, isDiskError } from "../common/disk/disk.ts"
import type { Ownership } from "../common/partition/owned-file.ts"
import type { BatchMemory } from "./file-batch.ts"

/** What the thread starts with. */
export interface MakerStart {
  /** The group's folder. */
  readonly root: string
  readonly place: Ownership
  readonly control: SharedArrayBuffer
  readonly batches: readonly BatchMemory[]
}

/** `free` → `posted` (by the maker) → `done` or `failed` (by the thread) → `free`; `ended` at any time. */
const steps = ["free", "posted", "done", "failed", "ended"] as const
export type SlotStep = (typeof steps)[number]

const slotWords = 3
/** More than the longest path that Linux takes. */
const failureBytes = 8192

export const controlBytes = (slots: number): number => 4 * (1 + slotWords * slots) + failureBytes

interface Failure {
  readonly code: string
  readonly call: string
  readonly path: string
  readonly offset?: number | undefined
}

export class MakerState {
  readonly #words: Int32Array
  /** Text of the last failure; only one can be. */
  readonly #failure: Uint8Array

  constructor(memory: SharedArrayBuffer) {
    const words = (memory.byteLength - failureBytes) / 4
    this.#words = new Int32Array(memory, 0, words)
    this.#failure = new Uint8Array(memory, 4 * words)
  }

  get isReady(): boolean {
    return Atomics.load(this.#words, 0) === 1
  }

  setReady(): void {
    Atomics.store(this.#words, 0, 1)
  }

  step(slot: number): SlotStep {
    return steps[Atomics.load(this.#words, this.#at(slot))] ?? "ended"
  }

  set(slot: number, step: SlotStep): void {
    Atomics.store(this.#words, this.#at(slot), steps.indexOf(step))
    Atomics.notify(this.#words, this.#at(slot))
  }

  count(slot: number): number {
    return this.#words[this.#at(slot) + 1] ?? 0
  }

  /** Files of the slot that are made. */
  made(slot: number): number {
    return Atomics.load(this.#words, this.#at(slot) + 2)
  }

  setMade(slot: number, made: number): void {
    Atomics.store(this.#words, this.#at(slot) + 2, made)
  }

  post(slot: number, count: number): void {
    this.#words[this.#at(slot) + 1] = count
    this.setMade(slot, 0)
    this.set(slot, "posted")
  }

  /** In the thread: waits until there is work in the slot, or no more at all. */
  waitForWork(slot: number): "posted" | "ended" {
    for (;;) {
      const step = this.step(slot)
      if (step === "posted" || step === "ended") return step
      Atomics.wait(this.#words, this.#at(slot), steps.indexOf(step))
    }
  }

  /** In the main thread: waits until the slot's work is over, `ms` at most. @returns false if it is not */
  waitForEnd(slot: number, ms: number): boolean {
    if (this.step(slot) === "posted") Atomics.wait(this.#words, this.#at(slot), steps.indexOf("posted"), ms)
    return this.step(slot) !== "posted"
  }

  setFailure(error: unknown): void {
    const told: Failure = isDiskError(error)
      ? { code: error.code, call: error.call, path: error.path, offset: error.offset }
      : { code: error instanceof Error ? error.message.slice(0, 1000) : String(error), call: "make", path: "" }
    this.#failure.fill(0)
    new TextEncoder().encodeInto(JSON.stringify(told), this.#failure)
  }

  /** What `setFailure` was told, as the error that it was. */
  failure(): DiskError {
    const text = Buffer.from(this.#failure).toString("utf8").replace(/\0+$/, "")
    const { code, call, path, offset } = JSON.parse(text) as Failure // written by setFailure alone
    return new DiskError(call, path, Object.assign(new Error(code), { code }), offset)
  }

  #at(slot: number): number {
    return 1 + slotWords * slot
  }
}
