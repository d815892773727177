/** Our fileserver as a process of its own, as it is in use. */
import { spawn } from "node:child_process"
import { join } from "node:path"
import { fileserverSwitches } from "../cli/node-switches.ts"

export interface FileserverProcess extends AsyncDisposable {
  /** Its FSSYNC socket. */
  readonly socket: string
  readonly pid: number
}

/** How a program is run, and what else the fileserver is told. */
export interface FileserverStart {
  readonly run?: (program: string, ...words: string[]) => readonly [program: string, words: string[]]
  readonly options?: readonly string[]
}

/** Starts a fileserver on one partition, with its state in `stateDirectory`, and waits until it serves. */
export async function startFileserver(
  partition: string,
  stateDirectory: string,
  { run = (program, ...words) => [program, words], options = [] }: FileserverStart = {},
): Promise<FileserverProcess> {
  const dafs = join(import.meta.dirname, "..", "cli", "dafs.js")
  const words = ["fileserver", "--partition", partition, "--state-dir", stateDirectory, "--log-level", "error"]
  const [program, all] = run(process.execPath, ...fileserverSwitches, dafs, ...words, ...options)
  const child = spawn(program, all, { stdio: ["ignore", "inherit", "inherit", "ipc"] })
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve))
  await new Promise<void>((resolve, reject) => {
    child.once("message", () => resolve()) // its word that it serves
    void ended.then((status) => reject(new Error(`the fileserver ended with status ${status}`)))
  })
  return {
    socket: join(stateDirectory, "fssync.sock"),
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM")
      await ended
    },
  }
}
