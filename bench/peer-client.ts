/** A client of a fileserver that makes it attach volumes: it runs where that server's network is. */
import { type ChildProcessByStdio, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Readable, Writable } from "node:stream"
import type { PeerCell } from "./peer-cell.ts"

export interface AccessClient extends AsyncDisposable {
  /** Microseconds that each access took, from the request to the answer. @throws Error if one is refused */
  access(volumes: readonly number[]): Promise<number[]>
}

/** Busy answers to the first calls of an unknown client say nothing about a volume. */
const busyTries = 50

const program = join(import.meta.dirname, "rx-client.program.js")

/** A client of a server inside a cell, dafileserver if no port is named. */
export function startPeerClient(cell: PeerCell, port = 7000): AccessClient {
  return clientIn(cell.spawn(process.execPath, program, "10.99.0.1", String(port)))
}

/** The same client of a server on this machine. */
export function startClient(port: number): AccessClient {
  return clientIn(spawn(process.execPath, [program, "127.0.0.1", String(port)], { stdio: ["pipe", "pipe", "inherit"] }))
}

function clientIn(child: ChildProcessByStdio<Writable, Readable, null>): AccessClient {
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ask = async (volumes: readonly number[]): Promise<number[]> => {
    child.stdin.write(`${volumes.join(" ")}\n`)
    const { value, done } = await lines.next()
    if (done === true) throw new Error("the client ended")
    return JSON.parse(value) as number[] // its one form of answer
  }
  return {
    async access(volumes) {
      for (let tries = 1; ; tries++) {
        const spent = await ask(volumes)
        const refused = spent.findIndex((one) => one < 0)
        if (refused < 0) return spent
        if (tries >= busyTries) throw new Error(`volume ${volumes[refused]} is refused: ${-(spent[refused] ?? 0)}`)
      }
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await once(child, "close")
    },
  }
}
