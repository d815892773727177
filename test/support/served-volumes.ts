/** A fileserver's volumes on a real partition, in the test's own process, with a clock that the test moves. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { openPartition, type Partition } from "../../common/partition/partition.ts"
import { type Code, programTypes } from "../../common/protocol/codes.ts"
import type { PackageLog } from "../../common/volume/package-context.ts"
import type { SalvageJob, SalvageLink } from "../../common/volume/salvage-schedule.ts"
import { requireHeader } from "../../common/volume/volume.ts"
import { infoInode } from "../../common/volume/volume-header.ts"
import { readVolumeInfo, type VolumeInfo, volumeInfoLayout } from "../../common/volume/volume-info.ts"
import { VolumePackage, type VolumePackageOptions } from "../../common/volume/volume-package.ts"
import type { VolumeState } from "../../common/volume/volume-state.ts"
import { FssyncService } from "../../fileserver/fssync-service.ts"
import { type FssyncCommand, fssyncCommands, type SyncAnswer, type SyncRequest } from "../../fssync/message.ts"
import type { SyncChannel } from "../../fssync/server.ts"
import { type CleanFixture, type FixtureEncoding, unpackFixture } from "./fixture.ts"
import { temporaryDirectory } from "./temporary-directory.ts"
import { type VirtualClock, virtualClock } from "./virtual-clock.ts"

type Teardown = Pick<ExecutionContext, "teardown">

/** Volumes of the fixture `clones`: a group of three, and a read-write volume with its backup. */
export const clones = { rw: 536870918, ro: 536870919, bk: 536870920, otherRw: 536870921, otherBk: 536870923 } as const

/** A partition of OpenAFS's in a folder that goes with the test. */
export function fixturePartition(
  t: Teardown,
  fixture: CleanFixture | "base" = "clones",
  name = "vicepa",
  encoding?: FixtureEncoding,
): Partition {
  const path = join(temporaryDirectory(t), name)
  mkdirSync(path)
  unpackFixture(fixture, path, encoding === undefined ? {} : { encoding })
  return openPartition(path)
}

/** VolumeInfo as it is on disk. */
export function infoOnDisk(partition: Partition, volume: number): VolumeInfo {
  const header = requireHeader(partition, volume)
  using file = new InodeStore(partition, header.parent).open(infoInode(header), "read")
  return readVolumeInfo(file)
}

/** Changes VolumeInfo on disk, behind everybody's back. */
export function patchInfo(partition: Partition, volume: number, change: (info: VolumeInfo) => void): void {
  const info = infoOnDisk(partition, volume)
  change(info)
  const header = requireHeader(partition, volume)
  using file = new InodeStore(partition, header.parent).open(infoInode(header), "write")
  file.write(volumeInfoLayout.encode(info), 0)
}

/** A log that is kept. */
export interface KeptLog extends PackageLog {
  readonly lines: { readonly level: string; readonly facts: object; readonly message: string }[]
}

export function keptLog(): KeptLog {
  const lines: KeptLog["lines"] = []
  const at = (level: string) => (facts: object, message: string) => void lines.push({ level, facts, message })
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") }
}

/** A connection that the test ends when it likes. */
export interface TestChannel extends SyncChannel {
  end(): void
}

let lastChannel = 0

function newChannel(service: FssyncService): TestChannel {
  const closed = new AbortController()
  const channel = {
    id: ++lastChannel,
    pid: undefined,
    closed: closed.signal,
    end: (): void => {
      closed.abort()
      service.channelClosed(channel)
    },
  }
  return channel
}

/** A salvage server that writes down what it is asked, and answers what the test says. */
export interface TestSalvager extends SalvageLink {
  readonly jobs: SalvageJob[]
  /** `false`: refuses; an error: is not there; a promise: answers when that is settled. */
  answer: boolean | Error | Promise<boolean>
}

export function testSalvager(answer: TestSalvager["answer"] = true): TestSalvager {
  const salvager: TestSalvager = {
    jobs: [],
    answer,
    request: async (job) => {
      salvager.jobs.push(job)
      if (salvager.answer instanceof Error) throw salvager.answer
      return await salvager.answer
    },
  }
  return salvager
}

/** Who asks: a program type, and a process (this one, unless said otherwise). */
export interface Asker {
  readonly channel: TestChannel
  readonly programType: number
  readonly pid: number
  /** Sends one command. */
  ask(command: FssyncCommand, fields?: Partial<SyncRequest>): SyncAnswer | Promise<SyncAnswer>
}

export interface Served {
  readonly partition: Partition
  readonly volumes: VolumePackage
  readonly service: FssyncService
  readonly clock: VirtualClock
  readonly salvager: TestSalvager
  readonly log: KeptLog
  /** Volumes whose callbacks were broken, in order. */
  readonly broken: number[]
  asker(type: keyof typeof programTypes, pid?: number): Asker
  /** What a client gets that accesses the volume for a moment: `ok` or the code. */
  access(volume: number): Promise<Code | "ok">
  state(volume: number): VolumeState | undefined
}

export interface ServeOptions extends Partial<Omit<VolumePackageOptions, "salvageServer">> {
  readonly partitions?: readonly Partition[]
  readonly salvager?: TestSalvager | undefined
}

/** Serves a partition (the fixture `clones`) until the test ends. */
export function serve(t: Teardown, { partitions = [fixturePartition(t)], ...options }: ServeOptions = {}): Served {
  const clock = virtualClock()
  const log = keptLog()
  const salvager = options.salvager ?? testSalvager()
  const broken: number[] = []
  const callbacks = { breakVolume: (id: number) => void broken.push(id) }
  const volumes = new VolumePackage(partitions, { clock, log, callbacks, ...options, salvageServer: salvager })
  const service = new FssyncService(volumes, { version: "1", startTime: 1, options: [] })
  t.teardown(() => volumes.close())
  const [partition] = partitions
  if (partition === undefined) throw new Error("no partition")
  return {
    partition,
    volumes,
    service,
    clock,
    salvager,
    log,
    broken,
    asker: (type, pid = process.pid) => newAsker(service, programTypes[type], pid, partition.name),
    async access(volume) {
      try {
        const use = await volumes.acquire(volume)
        use.release()
        return "ok"
      } catch (error) {
        return codeOf(error)
      }
    },
    state: (volume) => volumes.find(volume)?.state,
  }
}

function codeOf(error: unknown): Code {
  if (error instanceof Error && "code" in error) return error.code as Code // thrown as an AfsError
  throw error
}

function newAsker(service: FssyncService, programType: number, pid: number, partition: string): Asker {
  const channel = newChannel(service)
  return {
    channel,
    programType,
    pid,
    ask(command, fields = {}) {
      const request: SyncRequest = {
        command: fssyncCommands[command],
        reason: 0,
        volume: 0,
        partition,
        parent: 0,
        vnode: 0,
        unique: 0,
        programType,
        pid,
        thread: 7,
        ...fields,
      }
      return service.handle(request, channel)
    },
  }
}
