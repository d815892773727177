/** Who is waited for when no answer comes: a server that is stopped, or busy with something else, must not look like a hang of ours. */
import { nodeDisk } from "../common/disk/node-disk.ts"
import { programOf, readProcessFile } from "../common/lock/process-name.ts"
import { socketHolder } from "./socket-holder.ts"

/** Without an answer for so long, those who asked to be told are told. */
export const waitNoticeMs = 3_000

/** A request that has had no answer for a while. */
export interface Waiting {
  /** Of the server's socket. */
  readonly path: string
  /** Name of the command. */
  readonly request: string
}

/** `T` is the kernel's letter for a process stopped by a signal, `t` for one that a debugger has stopped. */
function isStopped(pid: number): boolean {
  return /^\d+ \(.*\) [Tt] /s.test(readProcessFile(pid, "stat") ?? "")
}

/** The server behind a socket: `pid 123 (dafs fileserver), which is stopped`. */
export function serverText(path: string): string {
  const pid = socketHolder(path, nodeDisk)
  if (pid === undefined) return `the server at ${path}`
  const program = programOf(pid)
  return `pid ${pid}${program === undefined ? "" : ` (${program})`}${isStopped(pid) ? ", which is stopped" : ""}`
}

export function waitingText({ path, request }: Waiting): string {
  return `waiting for the answer to ${request} from ${serverText(path)}`
}
