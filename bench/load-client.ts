/** The load client (load-client.c): built from source where there are a compiler and package libopenafs-dev, and asked for figures. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { benchFile, hasProgram } from "./measure.ts"
import type { PeerCell } from "./peer-cell.ts"

const libraries = ["/usr/lib/afs/libafsint.a", "/usr/lib/libafsrpc.a"] as const

/** Why it cannot be built here; undefined if it can. */
export function loadClientAbsence(): string | undefined {
  if (!hasProgram("gcc")) return "there is no gcc"
  if (!libraries.every((path) => existsSync(path))) return "package libopenafs-dev is not installed"
  return undefined
}

/** Compiles it into a folder; gives the program's path. @throws Error with the compiler's words */
export function buildLoadClient(directory: string): string {
  const program = join(directory, "load-client")
  const words = ["-O2", "-pthread", benchFile("load-client.c"), "-o", program, ...libraries]
  execFileSync("gcc", words, { stdio: ["ignore", "inherit", "inherit"] })
  return program
}

export interface LoadClient extends Disposable {
  /** A question of load-client.c, and its figure. @throws Error if the server refused something */
  ask(question: string): Promise<number>
}

/** Starts it inside a cell, for one volume of one server. */
export function startLoadClient(cell: PeerCell, program: string, port: number, volume: number): LoadClient {
  const [runner, words] = cell.inside(program, "10.99.0.1", String(port), String(volume))
  const child: ChildProcess = spawn(runner, words, { stdio: ["pipe", "pipe", "inherit"] })
  const { stdin, stdout } = child
  if (stdin === null || stdout === null) throw new Error("the load client has no pipes")
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  return {
    async ask(question) {
      stdin.write(`${question}\n`)
      const { value, done } = await lines.next()
      if (done === true) throw new Error(`the load client ended at: ${question}`)
      const figure = Number(value)
      if (Number.isNaN(figure)) throw new Error(`${question}: ${String(value)}`)
      return figure
    },
    [Symbol.dispose]: () => stdin.end(),
  }
}
