import { spawn } from "node:child_process"
import { chmodSync, existsSync, linkSync, mkdirSync, renameSync, statSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:net"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { listenAt, prepareStateDirectory } from "../../fssync/socket-path.ts"
import { needsRoot } from "../support/requirements.ts"
import { spawnSource } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

function newServer(t: ExecutionContext): Server {
  const server = createServer((socket) => socket.destroy())
  t.teardown(() => server.close())
  return server
}

const modeOf = (path: string): number => statSync(path).mode & 0o7777

/** A socket file behind which nobody listens, as a killed server leaves it. */
async function leaveStale(path: string): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(path, resolve))
  linkSync(path, `${path}.kept`)
  await new Promise((resolve) => server.close(resolve))
  renameSync(`${path}.kept`, path)
}

test.serial("socket: only the owner may open it, whatever the umask, which is left as it was", async (t) => {
  const path = join(temporaryDirectory(t), "fssync.sock")
  const before = process.umask(0)
  t.teardown(() => process.umask(before))
  await listenAt(newServer(t), path, "fileserver")
  t.is(modeOf(path), 0o600)
  t.is(process.umask(), 0)
})

test("socket: the state directory is made, for its owner alone, with the folders above it", async (t) => {
  const directory = join(temporaryDirectory(t), "a", "b", "local")
  await listenAt(newServer(t), join(directory, "fssync.sock"), "fileserver")
  t.is(modeOf(directory), 0o700)
  prepareStateDirectory(directory)
})

test("socket: a state directory that exists keeps its mode", async (t) => {
  const directory = join(temporaryDirectory(t), "local")
  mkdirSync(directory)
  chmodSync(directory, 0o755)
  await listenAt(newServer(t), join(directory, "fssync.sock"), "fileserver")
  t.is(modeOf(directory), 0o755)
})

test("socket: a file that a killed server left is taken over", async (t) => {
  const path = join(temporaryDirectory(t), "fssync.sock")
  const killed = spawnSource(t, "test/fssync/sync-server.program.ts", [path])
  await killed.line(/^listening$/)
  await killed.stop("SIGKILL")
  t.true(existsSync(path))
  await listenAt(newServer(t), path, "fileserver")
  t.is(modeOf(path), 0o600)
})

test("socket: a server that answers is left alone, and the error says which process it is", async (t) => {
  const path = join(temporaryDirectory(t), "fssync.sock")
  const first = spawnSource(t, "test/fssync/sync-server.program.ts", [path])
  await first.line(/^listening$/)
  const error = await t.throwsAsync(listenAt(newServer(t), path, "fileserver"), { code: "VBUSY" })
  t.true(error?.message.includes(`another fileserver is running (pid ${first.pid})`), error?.message)
  const second = spawnSource(t, "test/fssync/sync-server.program.ts", [path])
  t.like(await second.ended, { status: 1 })
  t.true(second.stdout().includes(`another fileserver is running (pid ${first.pid})`))
  await first.stop()
})

test("socket: a stopped server still has its socket", async (t) => {
  const path = join(temporaryDirectory(t), "fssync.sock")
  const first = spawnSource(t, "test/fssync/sync-server.program.ts", [path])
  await first.line(/^listening$/)
  first.signal("SIGSTOP")
  await t.throwsAsync(listenAt(newServer(t), path, "fileserver"), { code: "VBUSY" })
  first.signal("SIGCONT")
})

test("socket: of many servers that find a stale file at once, one takes it and the others are refused", async (t) => {
  const path = join(temporaryDirectory(t), "fssync.sock")
  for (let round = 0; round < 5; round++) {
    await leaveStale(path)
    const servers = Array.from({ length: 10 }, () => newServer(t))
    const results = await Promise.allSettled(servers.map((server) => listenAt(server, path, "fileserver")))
    const won = servers.filter((_, index) => results[index]?.status === "fulfilled")
    t.is(won.length, 1)
    for (const result of results) if (result.status === "rejected") t.is(result.reason.code, "VBUSY")
    // its file is the one on the path
    t.true(won[0]?.listening)
    await t.throwsAsync(listenAt(newServer(t), path, "fileserver"), { code: "VBUSY" })
    await new Promise((resolve) => won[0]?.close(resolve))
    t.false(existsSync(path))
  }
})

test("socket: a file or folder in its place is never removed", async (t) => {
  const directory = temporaryDirectory(t)
  writeFileSync(join(directory, "file"), "precious")
  mkdirSync(join(directory, "folder"))
  for (const name of ["file", "folder"]) {
    const path = join(directory, name)
    await t.throwsAsync(listenAt(newServer(t), path, "fileserver"), { code: "EINVAL", message: /is not a socket/ })
    t.true(existsSync(path))
  }
})

test("socket: a path too long for the kernel is refused before anything is made", async (t) => {
  const directory = join(temporaryDirectory(t), "d".repeat(100))
  await t.throwsAsync(listenAt(newServer(t), join(directory, "fssync.sock"), "fileserver"), {
    code: "EINVAL",
    message: /at most 107 bytes/,
  })
  t.false(existsSync(directory))
})

const connector = `
  const socket = require("node:net").createConnection({ path: process.argv[1] })
  socket.on("connect", () => { console.log("connected"); process.exit() })
  socket.on("error", (error) => { console.log(error.code); process.exit() })`

/** What another user gets who connects. */
function connectAs(uid: number, path: string): Promise<string> {
  const child = spawn(process.execPath, ["-e", connector, path], { uid, gid: uid, cwd: "/", env: {} })
  let output = ""
  child.stdout.on("data", (piece) => {
    output += piece
  })
  return new Promise((resolve) => child.once("close", () => resolve(output.trim())))
}

needsRoot("socket: another user is refused, even where the folder lets him in", async (t) => {
  const directory = temporaryDirectory(t)
  chmodSync(directory, 0o755)
  const path = join(directory, "fssync.sock")
  await listenAt(newServer(t), path, "fileserver")
  t.is(await connectAs(65534, path), "EACCES")
  t.is(await connectAs(0, path), "connected")
})
