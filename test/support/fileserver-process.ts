/** A `dafs fileserver` in a process of its own, and programs that talk to it. */
import { mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import type { ExecutionContext } from "ava"
import type { Partition } from "../../common/partition/partition.ts"
import { type Code, codes, type ProgramType } from "../../common/protocol/codes.ts"
import { type VolumeState, volumeStateOf } from "../../common/volume/volume-state.ts"
import { FssyncClient } from "../../fssync/fssync-client.ts"
import { responses } from "../../fssync/message.ts"
import { type Finished, type Spawned, spawnDafs, spawnSource } from "./spawned.ts"

type Teardown = Pick<ExecutionContext, "teardown">

export interface FileserverProcess {
  readonly partitions: readonly Partition[]
  readonly stateDirectory: string
  readonly socket: string
  /** The running server; another one after `restart`. */
  readonly process: Spawned
  /** A client of its own connection, closed when the test ends. */
  client(programType?: ProgramType): FssyncClient
  /** Ends the server at once, as a crash does. */
  kill(): Promise<Finished>
  /** Ends it cleanly. */
  stop(signal?: NodeJS.Signals): Promise<Finished>
  /** Starts it again. */
  start(...options: string[]): Promise<void>
  /** What a client gets that accesses the volume for a moment. */
  access(volume: number): Promise<Code | "ok">
  state(volume: number): Promise<VolumeState | undefined>
}

/** Starts a fileserver; it answers when this resolves. */
export async function startFileserver(
  t: Teardown,
  partitions: readonly Partition[],
  ...options: string[]
): Promise<FileserverProcess> {
  const [first] = partitions
  if (first === undefined) throw new Error("no partition")
  const stateDirectory = join(dirname(first.path), "state")
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 })
  const socket = join(stateDirectory, "fssync.sock")
  const words = partitions.flatMap(({ path }) => ["--partition", path])
  let running: Spawned
  const start = async (...more: string[]): Promise<void> => {
    running = spawnDafs(t, ["fileserver", ...words, "--state-dir", stateDirectory, ...options, ...more])
    await running.line(/fileserver ready/)
  }
  const client = (programType: ProgramType = "debugUtility"): FssyncClient => {
    const made = new FssyncClient({ path: socket, programType })
    t.teardown(() => made.close())
    return made
  }
  await start()
  const own = client()
  return {
    partitions,
    stateDirectory,
    socket,
    get process() {
      return running
    },
    client,
    kill: () => running.stop("SIGKILL"),
    stop: (signal = "SIGTERM") => running.stop(signal),
    start,
    access: (volume) => accessOver(own, volume),
    async state(volume) {
      const { payload } = await own.queryVolume(volume)
      return payload === undefined ? undefined : volumeStateOf(payload.attach_state)
    },
  }
}

async function accessOver(client: FssyncClient, volume: number): Promise<Code | "ok"> {
  const { response, reason } = await client.get(volume)
  if (response === responses.OK) {
    await client.put(volume)
    return "ok"
  }
  for (const [code, { number }] of Object.entries(codes)) if (number === reason) return code as Code // a key of `codes`
  throw new Error(`VOL_GET: response ${response}, reason ${reason}`)
}

/** What a program that has checked a volume out does with it. */
export interface Holding {
  readonly programType: ProgramType
  /** Attach mode, or OFF for the salvage. */
  readonly how: "READONLY" | "CLONE" | "VOLUPD" | "DUMP" | "SALVAGE" | "OFF"
  readonly lock: "read" | "write" | "none"
  /** Written to the volume's information, as a volserver or a salvager does. */
  readonly inUse?: number
}

/** Starts a program that has the volume when this resolves, and keeps it until it is told to end. */
export async function holdVolume(
  t: Teardown,
  fileserver: FileserverProcess,
  volume: number,
  { programType, how, lock, inUse = 0 }: Holding,
): Promise<Spawned> {
  const partition = fileserver.partitions[0]?.path ?? ""
  const words = [fileserver.socket, partition, String(volume), programType, how, lock, String(inUse)]
  const holder = spawnSource(t, "test/support/volume-holder.program.ts", words)
  await holder.line(/^holding$/)
  return holder
}
