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
  /** How command lines begin that run it; "" for all others, or for a program without commands. */
  readonly beginnings: readonly string[]
  /** Of the modules that commands are in, those that it has; undefined: all. */
  readonly modules?: readonly string[]
  /** It always needs yargs, which is packed with it then; others load it where their words are not plain. */
  readonly hasYargs?: boolean
  /** Kinds of runs (run-kinds.ts) that have code caches of their own; "" for all others. */
  readonly kinds: readonly string[]
}

const vosKinds = ["backup", "create", "dump", "examine", "listvol", "offline", "online", "release", "remove", "restore"]
const launch = "cli/launch.js"

/** The parts of `dafs`: commands that servers, scripts and operators run many times, under our names and OpenAFS's. */
export const dafsParts: readonly PackedPart[] = [
  { beginnings: [""], hasYargs: true, kinds: [""] },
  {
    beginnings: ["fileserver", "launch dafileserver"],
    modules: ["fileserver/cli.js", launch],
    kinds: ["", fileserverSwitches.join(" ")],
  },
  { beginnings: ["fs"], modules: ["cli/fs.js"], hasYargs: true, kinds: ["", "get", "ls", "put"] },
  { beginnings: ["fssync"], modules: ["cli/fssync.js"], kinds: ["", "listvolumes", "query"] },
  { beginnings: ["locks"], modules: ["cli/locks.js"], kinds: [""] },
  { beginnings: ["salvage"], modules: ["cli/salvage.js"], kinds: ["", "query", "request"] },
  { beginnings: ["salvager", "launch dasalvager"], modules: ["salvager/cli.js", launch], kinds: [""] },
  {
    beginnings: ["salvageserver", "launch salvageserver"],
    modules: ["salvager/server-cli.js", "cli/salvage.js", launch], // with -client it asks for a salvage
    kinds: [""],
  },
  { beginnings: ["volinfo"], modules: ["cli/volinfo.js"], kinds: [""] },
  {
    beginnings: ["volserver", "launch davolserver"],
    modules: ["volserver/server-cli.js", launch],
    kinds: ["", "--worker"],
  },
  { beginnings: ["vos"], modules: ["volserver/cli.js"], kinds: ["", ...vosKinds] },
]
