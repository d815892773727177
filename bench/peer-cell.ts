/** An OpenAFS cell to measure against, by way of test/openafs/cell. Needs root and OpenAFS's programs. */
import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { join } from "node:path"
import type { Readable, Writable } from "node:stream"

const script = join(import.meta.dirname, "..", "..", "test", "openafs", "cell")

/** Servers of a cell: location, protection, salvage, file and volume server. */
export type PeerServer = "vl" | "pt" | "sal" | "fs" | "vol"

export interface PeerCell extends Disposable {
  /** Holds local/ (the state directory), vicepa/ and vicepb/. */
  readonly directory: string
  /** Of dafileserver, as it can be opened from outside. */
  readonly fssyncSocket: string
  /** Runs a program inside and gives what it printed. */
  exec(program: string, ...args: string[]): string
  /** The program and its words that run a program inside. */
  inside(program: string, ...args: string[]): readonly [program: string, words: string[]]
  /** Makes a volume whose root is open to everybody; its id. */
  volume(name: string): number
  /** Starts a program inside, whose standard input and output are pipes. */
  spawn(program: string, ...args: string[]): ChildProcessByStdio<Writable, Readable, null>
  /** Starts or ends servers. */
  start(...servers: PeerServer[]): void
  stop(...servers: PeerServer[]): void
  /** Process id of a server. */
  pid(server: PeerServer): number
}

/** True where a cell can be brought up. */
export function canHaveCell(): boolean {
  if (process.geteuid?.() !== 0) return false
  try {
    for (const program of ["/usr/lib/openafs/dafileserver", "/usr/bin/vos"]) accessSync(program, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Brings a cell up in `directory`, without servers unless they are named; it goes down when it is disposed of, and when this process ends. */
export function startPeerCell(directory: string, ...servers: PeerServer[]): PeerCell {
  const env = { ...process.env, CELL_OWNER: String(process.pid) }
  const call = (...words: string[]): string => execFileSync(script, words, { encoding: "utf8", env })
  call("up", directory, ...(servers.length === 0 ? ["-"] : servers))
  return {
    directory,
    fssyncSocket: join(directory, "local", "fssync.sock"),
    exec: (program, ...args) => call("exec", directory, program, ...args),
    inside: (program, ...args) => [script, ["exec", directory, program, ...args]],
    volume(name) {
      call("volume", directory, name)
      const told = call("exec", directory, "vos", "examine", name, "-noauth")
      const id = /RWrite:?\s+(\d+)/.exec(told)?.[1]
      if (id === undefined) throw new Error(`vos examine tells no id: ${told}`)
      return Number(id)
    },
    spawn: (program, ...args) =>
      spawn(script, ["exec", directory, program, ...args], { env, stdio: ["pipe", "pipe", "inherit"] }),
    start: (...more) => void call("start", directory, ...more),
    stop: (...some) => void call("stop", directory, ...some),
    pid: (server) => Number(call("pid", directory, server)),
    [Symbol.dispose]: () => void call("down", directory),
  }
}
