/** Which server it is that does not answer, in words: what a socket is for is known from its name. */
import { basename, dirname } from "node:path"

/** Sockets of one state directory. */
const servers: Readonly<Record<string, string>> = {
  "fssync.sock": "the fileserver",
  "salvsync.sock": "the salvage server",
  "salvages.sock": "the salvage server",
  "volser.sock": "the volume server",
}

function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined
}

/** Why nobody could be reached at a socket; `cause` is what connecting to it threw. */
export function absenceText(path: string, cause: unknown): string {
  const server = servers[basename(path)] ?? "the server"
  const code = codeOf(cause)
  if (code === "ENOENT")
    return `${server} is not running, or its state directory is another one than ${dirname(path)} (--state-dir): connect ENOENT`
  if (code === "ECONNREFUSED") return `${server} is not running any more: its socket is there, connect ECONNREFUSED`
  return cause instanceof Error ? cause.message : String(cause)
}
