/**
 * The `dafs` command, whose salvagers tell each step that they come to and stop before the one that a test chose, so that
 * somebody can be killed there: a request to the fileserver, a lock, the beginning of the scan, a change on the disk. A
 * salvage server of this program starts workers of this program.
 *
 * In the folder DAFS_TEST_STEPS, for a salvage of VOLUME:
 *   VOLUME.stop      number of the step, from 1; the first salvager that sees it takes it away
 *   VOLUME.steps     the steps of all salvagers, one a line
 *   VOLUME.stopped   the process id of the salvager that has stopped; SIGCONT lets it go on
 */
import { appendFileSync, existsSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Disk, OpenMode } from "../../common/disk/disk.ts"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { type RequestFields, SyncClient } from "../../fssync/client.ts"
import type { CommandRow } from "../../fssync/command-table.ts"
import { cutDisk } from "./cut-disk.ts"

/** Counts and notes the steps of one salvager. */
class Steps {
  readonly #path: string
  readonly #stopAt: number
  #count = 0

  constructor(path: string) {
    this.#path = path
    this.#stopAt = takeNumber(`${path}.stop`)
  }

  step(words: string): void {
    this.#count++
    appendFileSync(`${this.#path}.steps`, `${words}\n`)
    if (this.#count !== this.#stopAt) return
    writeFileSync(`${this.#path}.stopping`, String(process.pid))
    renameSync(`${this.#path}.stopping`, `${this.#path}.stopped`)
    process.kill(process.pid, "SIGSTOP")
  }
}

function takeNumber(path: string): number {
  if (!existsSync(path)) return 0
  const number = Number(readFileSync(path, "latin1"))
  unlinkSync(path)
  return number
}

/** Every change is a step, and so is a lock file that is opened and the first look at the data. */
function installDisk(steps: Steps): void {
  const disk: Disk = { ...nodeDisk }
  const counted = cutDisk(undefined, disk, (words) => steps.step(words))
  const open = (path: string, mode: OpenMode, permissions?: number): ReturnType<Disk["open"]> => {
    if (!/\.lock$/.test(path)) return counted.open(path, mode, permissions)
    steps.step(`lock ${path}`)
    return disk.open(path, mode, permissions)
  }
  let isScanned = false
  const list = (path: string): ReturnType<Disk["list"]> => {
    if (!isScanned && path.includes("/AFSIDat/")) {
      isScanned = true
      steps.step(`scan ${path}`)
    }
    return disk.list(path)
  }
  const { mkdir, rmdir, unlink, rename, link, symlink } = counted
  Object.assign(nodeDisk, { open, list, mkdir, rmdir, unlink, rename, link, symlink })
}

/** Every request is a step. */
function installRequests(steps: Steps): void {
  const { call } = SyncClient.prototype
  SyncClient.prototype.call = function <T>(this: SyncClient, row: CommandRow<T>, fields: RequestFields = {}) {
    steps.step(`ask ${row.name} ${fields.volume ?? ""}`)
    return call.call(this, row, fields) as ReturnType<typeof call<T>> // its own type, which `call` loses
  }
}

const words = process.argv.slice(2)
if (words[0] === "salvager") {
  const volume = words[words.indexOf("--volumeid") + 1] ?? ""
  const steps = new Steps(join(process.env["DAFS_TEST_STEPS"] ?? "", volume))
  installDisk(steps)
  installRequests(steps)
  steps.step("start")
}
await import("../../cli/command-line.ts")
