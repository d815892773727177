/**
 * The place of a server's socket: a state directory that only its owner enters, a socket that only its owner may open
 * (mode 0600 from the moment it exists), and never two servers on one path.
 *
 * A socket file outlives a killed server. It is taken over only when nobody answers on it; servers that start at the same
 * moment take turns by a flock on the state directory, held while one looks and binds.
 */
import { createConnection, type Server } from "node:net"
import { dirname } from "node:path"
import { type Disk, isDiskError } from "../common/disk/disk.ts"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { AfsError } from "../common/error.ts"
import { tryFlock, unlockFlock } from "../common/lock/record-lock.ts"
import { socketHolder } from "./socket-holder.ts"

/** What a socket path leads to. */
type Found = "nothing" | "stale" | "server"

/** Longest path of a Unix socket in bytes (sun_path with its NUL is 108). */
export const socketPathMax = 107

/** Tries to get the state directory's flock, and the pause between them: other servers hold it for a few milliseconds. */
const turnTries = 200
const turnPauseMs = 10

/**
 * Starts `server` listening on `path`. `program` is for the error's text.
 * @throws AfsError VBUSY if another server answers there; EINVAL if the path is no place for a socket; DiskError
 */
export async function listenAt(server: Server, path: string, program: string, disk: Disk = nodeDisk): Promise<void> {
  const directory = dirname(path)
  if (Buffer.byteLength(path) > socketPathMax) {
    throw new AfsError(
      "EINVAL",
      "listen",
      { path },
      { detail: `the path of a socket has at most ${socketPathMax} bytes` },
    )
  }
  prepareStateDirectory(directory, disk)
  await inTurn(directory, path, disk, async () => {
    await clearPath(path, program, disk)
    await bindPrivately(server, path)
    requireOwnerOnly(server, path, disk)
  })
}

/** Makes the state directory (mode 0700) and the folders above it, as far as they are absent. @throws DiskError */
export function prepareStateDirectory(directory: string, disk: Disk = nodeDisk): void {
  if (disk.stat(directory) !== undefined) return
  prepareStateDirectory(dirname(directory), disk)
  try {
    disk.mkdir(directory, 0o700)
  } catch (error) {
    if (!isDiskError(error, "EEXIST")) throw error
  }
}

async function inTurn(directory: string, path: string, disk: Disk, work: () => Promise<void>): Promise<void> {
  using folder = disk.open(directory, "read")
  for (let tries = 1; !tryFlock(folder.descriptor, "exclusive", directory); tries++) {
    if (tries === turnTries) throw new AfsError("VBUSY", "listen", { path }, { detail: `${directory} stays locked` })
    await new Promise((resolve) => setTimeout(resolve, turnPauseMs))
  }
  try {
    await work()
  } finally {
    unlockFlock(folder.descriptor, directory)
  }
}

async function clearPath(path: string, program: string, disk: Disk): Promise<void> {
  const found = await lookAt(path, disk)
  if (found === "server") {
    const holder = socketHolder(path, disk)
    const detail = `another ${program} is running (${holder === undefined ? "its pid is not visible" : `pid ${holder}`})`
    throw new AfsError("VBUSY", "listen", { path }, { detail })
  }
  if (found === "stale") disk.unlink(path)
}

/** @throws AfsError EINVAL if something else than a socket is in the way; EACCES if it may not be opened. */
async function lookAt(path: string, disk: Disk): Promise<Found> {
  const stat = disk.stat(path)
  if (stat === undefined) return "nothing"
  if (stat.isFile || stat.isDirectory) {
    throw new AfsError("EINVAL", "listen", { path }, { detail: "it exists and is not a socket" })
  }
  const code = await connectOnce(path)
  if (code === undefined || code === "EAGAIN") return "server"
  if (code === "ECONNREFUSED") return "stale"
  if (code === "ENOENT") return "nothing"
  throw new AfsError("EACCES", "listen", { path }, { detail: `cannot tell whether a server answers there: ${code}` })
}

/** Errno name of a failed connect; undefined if it succeeded. */
function connectOnce(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ path })
    socket.once("connect", () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

/**
 * Node binds within the call of `listen`, so the umask is narrowed for that call alone. It is narrowed for every thread of
 * the process: servers are started before anything else makes files.
 */
function bindPrivately(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => reject(new AfsError("UNREACHABLE", "listen", { path }, { cause })))
    server.once("listening", () => resolve())
    const before = process.umask(0o177)
    try {
      server.listen({ path, backlog: 511 })
    } finally {
      process.umask(before)
    }
  })
}

function requireOwnerOnly(server: Server, path: string, disk: Disk): void {
  const mode = disk.stat(path)?.mode
  if (mode === 0o600) return
  server.close()
  const found = mode === undefined ? "it is gone" : `its mode is 0${mode.toString(8)}`
  throw new AfsError("EACCES", "listen", { path }, { detail: `the socket should have mode 0600: ${found}` })
}
