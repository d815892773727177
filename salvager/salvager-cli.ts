/** The options of `dafs salvager`, as yargs takes them. */
import { availableParallelism } from "node:os"
import type { InferredOptionTypes, Options } from "yargs"
import { partitionOption, placeOptions } from "../common/cli/place-options.ts"
import { orphanPolicies } from "./model.ts"

const salvagerPrograms = ["salvager", "salvageServer", "volumeSalvager"] as const

export const salvagerOptions = {
  partition: partitionOption,
  volumeid: { type: "number", describe: "salvage the group of this volume only; implies --force" },
  force: {
    type: "boolean",
    alias: "f",
    default: false,
    describe: "look at groups that are marked as consistent too",
  },
  nowrite: { type: "boolean", alias: "dry-run", default: false, describe: "say what would be done; write nothing" },
  orphans: {
    choices: orphanPolicies,
    default: "attach" as const,
    describe: "what to do with vnodes that no directory leads to",
  },
  salvagedirs: { type: "boolean", default: false, describe: "rebuild every directory" },
  undo: {
    type: "string",
    describe: "take back the salvage of this name, where the volumes have not changed since; list: show all names",
  },
  "undo-days": { type: "number", default: 30, describe: "days for which a salvage can be taken back" },
  "undo-size": { type: "number", default: 1024, describe: "MiB of a partition that are kept for that" },
  parallel: {
    type: "number",
    default: availableParallelism(),
    describe: "processes that work at a time, on groups of all partitions",
  },
  showlog: { type: "boolean", default: false, describe: "print lines as in OpenAFS's SalvageLog" },
  logfile: {
    type: "string",
    describe:
      "append these lines to this file (default: SalvageLog in OpenAFS's log directory or the state directory, if that is there)",
  },
  json: { type: "boolean", default: false, describe: "print one JSON object per finding, group and run" },
  ...placeOptions,
  offline: { type: "boolean", default: false, describe: "insist on working without a fileserver" },
  progress: { type: "boolean", default: false, hidden: true, describe: "tell phases in JSON too" },
  "program-type": { choices: salvagerPrograms, hidden: true, describe: "in whose place this salvager works" },
} satisfies Readonly<Record<string, Options>>

export type SalvagerArguments = InferredOptionTypes<typeof salvagerOptions>
