/**
 * OpenAFS's salvager on many partitions in one cell. When it makes or removes a header file it tells the fileserver, and
 * without one it waits for minutes: something that says OK to everything stands in for that.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import { type Cell, startCell } from "./cell.ts"

/** Partitions that are mounted at a time: /vicepa to /vicepz. */
const mountsMax = 26
const requestBytes = 40
const answerBytes = 32

/** Answers every request of OpenAFS's form with OK. */
function startYesServer(t: Pick<ExecutionContext, "teardown">, path: string): Promise<void> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy())
    socket.on("data", (request) => {
      if (request.length < requestBytes || request.readInt32LE(24) === 0) return
      const answer = Buffer.alloc(answerBytes)
      answer.writeUInt32LE(3, 0)
      request.copy(answer, 8, 8, 12)
      answer.writeUInt32LE(answerBytes, 16)
      answer.writeUInt32LE(2, 28)
      socket.write(answer)
    })
  })
  t.teardown(() => new Promise<void>((resolve) => server.close(() => resolve())))
  return new Promise((resolve) => server.listen(path, resolve))
}

async function salvageMounted(cell: Cell, directories: readonly string[]): Promise<void> {
  const points = directories.map((_, index) => `/vicep${String.fromCharCode(97 + index)}`)
  for (const [index, directory] of directories.entries()) {
    writeFileSync(join(directory, "AlwaysAttach"), "")
    mkdirSync(points[index] ?? "", { recursive: true })
    await cell.exec("mount", "--bind", directory, points[index] ?? "")
  }
  await cell.exec("/usr/lib/openafs/dasalvager", "-force", "-parallel", "4")
  for (const point of points) await cell.exec("umount", point)
}

/** Salvages the partitions in these folders, whatever their names. */
export async function runDasalvagerOn(
  t: Pick<ExecutionContext, "teardown" | "timeout">,
  directories: readonly string[],
): Promise<void> {
  const cell = await startCell(t)
  await startYesServer(t, join(cell.stateDirectory, "fssync.sock"))
  await cell.exec("umount", "/vicepa")
  await cell.exec("umount", "/vicepb")
  for (let start = 0; start < directories.length; start += mountsMax) {
    await salvageMounted(cell, directories.slice(start, start + mountsMax))
  }
  await cell.down()
}
