/**
 * Makes everything on a file system survive a power failure, with one call instead of one per file: for who has just written
 * hundreds of small files. Node has no syncfs(2), so coreutils' `sync -f` does it.
 */
import { spawn } from "node:child_process"
import { DiskError } from "./disk.ts"

/** @throws DiskError if there is no such program, or it failed: then nothing is known to be safe */
export function syncFileSystem(path: string, program = "sync"): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => reject(new DiskError("syncfs", path, cause))
    const child = spawn(program, ["-f", path], { stdio: "ignore" })
    child.once("error", fail)
    child.once("exit", (status, signal) => {
      if (status === 0) resolve()
      else fail(new Error(`${program} ended with ${signal ?? `status ${status}`}`))
    })
  })
}
