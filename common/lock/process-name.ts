/** What to call a process in a message: the name of its program, and for our own which of them it is. */
import { basename } from "node:path"
import { DiskError } from "../disk/disk.ts"
import { nodeDisk } from "../disk/node-disk.ts"

/** A file of `/proc`, or undefined if the process is gone or another user's. */
export function readProcessFile(pid: number, name: string): string | undefined {
  try {
    const bytes = nodeDisk.readFile(`/proc/${pid}/${name}`)
    return bytes === undefined ? undefined : Buffer.from(bytes).toString("utf8")
  } catch (error) {
    if (error instanceof DiskError) return undefined
    throw error
  }
}

const withoutExtension = (path: string): string => basename(path).replace(/\.(js|mjs|cjs|ts)$/, "")

/** `dafs volserver` from the arguments of a Node process, or `node worker.js` for a script that is not `dafs`. */
function nodeProgram(args: readonly string[]): string {
  const script = args.findIndex((argument, index) => index > 0 && !argument.startsWith("-"))
  const path = args[script]
  if (path === undefined) return "node"
  if (withoutExtension(path) !== "dafs") return `node ${basename(path)}`
  const [subcommand, next] = args.slice(script + 1).filter((argument) => !argument.startsWith("-"))
  if (subcommand === "launch" && next !== undefined) return `dafs launch ${next}`
  return subcommand === undefined ? "dafs" : `dafs ${subcommand}`
}

/** The name for a command line and the kernel's name (`comm`, at most 15 bytes) of one process. */
export function nameOfProgram(command: string, args: readonly string[]): string {
  const program = args[0] ?? ""
  if (program.startsWith("dafs ")) return program.trimEnd() // the process has named itself
  const name = basename(program)
  if (/^node(js)?$/.test(name)) return nodeProgram(args)
  return name.startsWith(command) ? name : command // comm cuts long names short
}

/** The program that a process runs, for example `davolserver` or `dafs salvager`; undefined if there is no such process. */
export function programOf(pid: number): string | undefined {
  const command = readProcessFile(pid, "comm")?.replace(/\n$/, "")
  if (command === undefined) return undefined
  const args = (readProcessFile(pid, "cmdline") ?? "").split("\0")
  return nameOfProgram(command, args[args.length - 1] === "" ? args.slice(0, -1) : args)
}
