/** Commands of both volume servers on volumes of the same contents, each on a partition of its own, as their users run them. */
import { execFileSync } from "node:child_process"
import { closeSync, openSync, writeSync } from "node:fs"
import { join } from "node:path"
import { createPartition, type Partition } from "../common/partition/partition.ts"
import { FssyncClient } from "../fssync/fssync-client.ts"
import { type Tree, writeTreeDump } from "../test/support/dump-builder.ts"
import type { VolserverContext } from "../volserver/context.ts"
import { Pace } from "../volserver/pace.ts"
import { startFileserver } from "./fileserver-process.ts"
import { canHaveCell, startPeerCell } from "./peer-cell.ts"

/** One volume server: its name, and the commands of its `vos`, each a process from start to end. Volumes by name. */
export interface VolumeCommands {
  readonly name: string
  restore(volume: string, dump: string): void
  dump(volume: string, dump: string): void
  backup(volume: string): void
  remove(volume: string): void
}

const dafsProgram = join(import.meta.dirname, "..", "cli", "dafs.js")

/** Writes the dump of a tree to a file. */
export function writeDump(path: string, tree: Tree): void {
  const descriptor = openSync(path, "w")
  try {
    writeTreeDump(tree, { write: (bytes: Uint8Array) => void writeSync(descriptor, bytes) })
  } finally {
    closeSync(descriptor)
  }
}

function ours(partition: string, state: string): VolumeCommands {
  const where = ["--partition", partition, "--state-dir", state]
  const vos = (...words: string[]): void =>
    void execFileSync(process.execPath, [dafsProgram, "vos", ...words, ...where], {
      stdio: ["ignore", "ignore", "pipe"],
    })
  return {
    name: "dafs vos",
    restore: (volume, dump) => vos("restore", "--name", volume, "--file", dump),
    dump: (volume, dump) => vos("dump", volume, "--file", dump),
    backup: (volume) => vos("backup", volume),
    remove: (volume) => vos("remove", volume),
  }
}

/** Our side's partition, and what operations need that run in this process as they do in the volserver's. */
export interface OurPlace {
  readonly partition: Partition
  readonly context: VolserverContext
}

function contextOf(partition: Partition, fileserver: FssyncClient): VolserverContext {
  return {
    claimant: { program: "volumeServer", fileserver },
    partitions: [partition],
    stateDirectory: undefined,
    now: () => Math.floor(Date.now() / 1000),
    pace: new Pace(),
    notice: () => {},
  }
}

/** Runs `work` with our commands beside a running fileserver and, where there can be one, with those of an OpenAFS cell. */
export async function withVolumeServers<T>(
  directory: string,
  work: (ours: VolumeCommands, peer: VolumeCommands | undefined, place: OurPlace) => Promise<T>,
): Promise<T> {
  const partition = createPartition(join(directory, "vicepa"), { development: process.geteuid?.() !== 0 })
  const state = join(directory, "state")
  await using fileserver = await startFileserver(partition.path, state)
  await using client = new FssyncClient({ path: fileserver.socket, programType: "volumeServer" })
  const place = { partition, context: contextOf(partition, client) }
  if (!canHaveCell()) return await work(ours(partition.path, state), undefined, place)
  using cell = startPeerCell(join(directory, "cell"), "vl", "pt", "sal", "fs", "vol")
  const vos = (...words: string[]): void => void cell.exec("vos", ...words, "-noauth")
  const server = "10.99.0.1"
  const theirs: VolumeCommands = {
    name: "vos and davolserver",
    restore: (volume, dump) => vos("restore", server, "a", volume, "-file", dump),
    dump: (volume, dump) => vos("dump", volume, "-file", dump),
    backup: (volume) => vos("backup", volume),
    remove: (volume) => vos("remove", server, "a", volume),
  }
  return await work(ours(partition.path, state), theirs, place)
}
