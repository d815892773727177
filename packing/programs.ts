/** What is packed: the programs, and of `dafs` the commands that have code of their own, so that a run reads little else. */
import { fileserverSwitches } from "../cli/node-switches.ts"

/** Starters' files, in `packed/`, by the modules of the programs. */
export const starters = {
  "cli/dafs.js": "dafs.cjs",
  "salvager/group-worker.js": "group-worker.cjs",
  "salvager/scan-thread.js": "scan-thread.cjs",
  "volserver/file-maker-thread.js": "file-maker-thread.cjs",
} as const satisfies Readonly<Record<string, string>>

/** So small that they start as quickly without a code cache: they need no starter. */
export const threads = ["salvager/scan-thread.js", "volserver/file-maker-thread.js"] as const

/** Code that is packed together. */
export interface PackedPart {
  /** The command; "" for the code that has all of them, or for a program without any. */
  readonly command: string
  /** The command's module; undefined: all modules that the program may load. */
  readonly module?: string
  /** It always needs yargs, which is packed with it then; others load it where their words are not plain. */
  readonly hasYargs?: boolean
  /** Kinds of runs (run-kinds.ts) that have code caches of their own; "" for all others. */
  readonly kinds: readonly string[]
}

const vosKinds = ["backup", "create", "dump", "examine", "listvol", "offline", "online", "release", "remove", "restore"]

/** The parts of `dafs`: commands that servers, scripts and operators run many times. */
export const dafsParts: readonly PackedPart[] = [
  { command: "", hasYargs: true, kinds: [""] },
  { command: "fileserver", module: "fileserver/cli.js", kinds: ["", fileserverSwitches.join(" ")] },
  { command: "fs", module: "cli/fs.js", hasYargs: true, kinds: ["", "get", "ls", "put"] },
  { command: "fssync", module: "cli/fssync.js", kinds: ["", "listvolumes", "query"] },
  { command: "locks", module: "cli/locks.js", kinds: [""] },
  { command: "salvage", module: "cli/salvage.js", kinds: ["", "query", "request"] },
  { command: "salvager", module: "salvager/cli.js", kinds: [""] },
  { command: "salvageserver", module: "salvager/server-cli.js", kinds: [""] },
  { command: "volinfo", module: "cli/volinfo.js", kinds: [""] },
  { command: "volserver", module: "volserver/server-cli.js", kinds: ["", "--worker"] },
  { command: "vos", module: "volserver/cli.js", kinds: ["", ...vosKinds] },
]
