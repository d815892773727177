/**
 * Work under an exclusive `flock` that everybody keeps for milliseconds only: who finds it taken asks again shortly, and gives up
 * on a holder that keeps it longer, since that one is stopped or stuck. Nothing else runs in this thread meanwhile.
 */
import { performance } from "node:perf_hooks"
import type { DiskFile } from "../disk/disk.ts"
import { AfsError } from "../error.ts"
import { kernelFile } from "./kernel-locks.ts"
import { flockHolders } from "./lock-holder.ts"
import { tryFlock, unlockFlock } from "./record-lock.ts"

const firstPauseMs = 0.05
const longestPauseMs = 5
const timeoutMs = 2000
const napping = new Int32Array(new SharedArrayBuffer(4))

/**
 * Runs `work` under the file's lock. On a disk that only this process can see there is nobody to keep out.
 * @throws AfsError LOCKED, with the holder, after two seconds; `operation` is what it is told of
 */
export function withFlock<T>(file: DiskFile, operation: string, work: () => T): T {
  const { descriptor, path } = file
  if (descriptor < 0) return work()
  lock(file, operation)
  try {
    return work()
  } finally {
    unlockFlock(descriptor, path)
  }
}

function lock(file: DiskFile, operation: string): void {
  const { descriptor, path } = file
  if (tryFlock(descriptor, "exclusive", path)) return
  const end = performance.now() + timeoutMs
  for (let pause = firstPauseMs; performance.now() < end; pause = Math.min(2 * pause, longestPauseMs)) {
    Atomics.wait(napping, 0, 0, pause)
    if (tryFlock(descriptor, "exclusive", path)) return
  }
  const name = kernelFile(file)
  const holder = (name === undefined ? undefined : flockHolders(name)) ?? "a process that cannot be seen"
  throw new AfsError("LOCKED", operation, { path, holder })
}
