/**
 * FSSYNC, the fileserver's side: what each command does and answers. One row per command; the transport (fssync/server.ts)
 * knows nothing of volumes, the volume package nothing of numbers. OpenAFS vol/fssync-server.c.
 *
 * Where a partition is looked up it may be called `/vicepa`, `vicepa` or `a`; where a name is compared with a volume's, only
 * the first will do. OpenAFS vol/partition.c (VGetPartition).
 *
 * A row answers at once, or with a promise where the volume is in somebody's hands for the moment; other requests, of the
 * same connection too, do not wait for it.
 */
import { AfsError } from "../common/error.ts"
import { fullPartitionName } from "../common/partition/partition.ts"
import { codes } from "../common/protocol/codes.ts"
import type { Purpose } from "../common/volume/checkout.ts"
import type { Eventually, Verdict } from "../common/volume/handover.ts"
import type { ServerVolume } from "../common/volume/server-volume.ts"
import type { GroupQuery, PartitionGroups } from "../common/volume/volume-group-scan.ts"
import type { VolumePackage } from "../common/volume/volume-package.ts"
import {
  commonReasons,
  type FssyncCommand,
  fssyncCommands,
  fssyncReasons,
  responses,
  type SyncAnswer,
  type SyncRequest,
} from "../fssync/message.ts"
import type { ServerStatus, VolumeRow } from "../fssync/payload.ts"
import type { SyncChannel } from "../fssync/server.ts"
import { ChannelUses, type UseEnding } from "./channel-uses.ts"
import {
  countOn,
  generalStats,
  hashStats,
  headerStats,
  partitionStats,
  reportOperation,
  reportRow,
  reportVnode,
  reportVolume,
  vlruStats,
} from "./fssync-report.ts"

/** Facts about the server for SERVER_STATUS. */
export interface ServerFacts {
  readonly version: string
  /** Seconds since 1970. */
  readonly startTime: number
  readonly options: readonly { readonly name: string; readonly value: string }[]
}

type Row = (request: SyncRequest, channel: SyncChannel) => Eventually<SyncAnswer>

const ok = (payload?: unknown): SyncAnswer =>
  payload === undefined ? okAnswer : { response: responses.OK, reason: 0, payload }
const okAnswer: SyncAnswer = { response: responses.OK, reason: 0 }
const denied = (reason: number): SyncAnswer => ({ response: responses.DENIED, reason })
const failed = (reason: number): SyncAnswer => ({ response: responses.FAILED, reason })
const { BAD_PART, UNKNOWN_VOLID, WRONG_PART, WHATEVER } = fssyncReasons

const reasonOf: Readonly<Record<Exclude<Verdict, "ok">, number>> = {
  okWrongPartition: WRONG_PART,
  denied: 0,
  exclusive: fssyncReasons.EXCLUSIVE,
  salvaging: fssyncReasons.SALVAGE,
  unknownVolume: UNKNOWN_VOLID,
  wrongPartition: WRONG_PART,
  badState: fssyncReasons.BAD_STATE,
  noPartition: codes.VNOVOL.number,
}

/** `failures`: refusals that this command answers with FAILED; the others are DENIED. */
function answerOf(verdict: Verdict, failures: readonly Verdict[]): SyncAnswer {
  if (verdict === "ok") return okAnswer
  const reason = reasonOf[verdict]
  if (verdict === "okWrongPartition") return { response: responses.OK, reason }
  return failures.includes(verdict) ? failed(reason) : denied(reason)
}

function answering(verdict: Eventually<Verdict>, ...failures: Verdict[]): Eventually<SyncAnswer> {
  if (verdict instanceof Promise) return verdict.then((settled) => answerOf(settled, failures))
  return answerOf(verdict, failures)
}

function purposeOf(request: SyncRequest): Purpose {
  if (request.command === fssyncCommands.VOL_NEEDVOLUME) return { command: "NEED", mode: request.reason }
  return { command: "OFF", salvage: request.reason === fssyncReasons.SALVAGE }
}

/** The service of one fileserver: `handle` and `channelClosed` are what the transport calls. */
export class FssyncService {
  readonly #volumes: VolumePackage
  readonly #facts: ServerFacts
  readonly #uses: ChannelUses
  readonly #rows: ReadonlyMap<number, Row>

  constructor(volumes: VolumePackage, facts: ServerFacts) {
    this.#volumes = volumes
    this.#facts = facts
    this.#uses = new ChannelUses(volumes)
    const rows = { ...this.#checkoutRows(), ...this.#queryRows(), ...this.#groupRows(), ...this.#ownRows() }
    this.#rows = rowsByNumber(rows)
  }

  handle(request: SyncRequest, channel: SyncChannel): Eventually<SyncAnswer> {
    const row = this.#rows.get(request.command)
    return row === undefined ? { response: responses.BAD_COMMAND, reason: 0 } : row(request, channel)
  }

  /** The connection has ended: what it used or had checked out goes back. */
  channelClosed(channel: SyncChannel): void {
    this.#uses.endAll(channel)
    this.#volumes.handover.channelClosed(channel)
  }

  #checkoutRows() {
    const { handover, context } = this.#volumes
    const checkOut: Row = (request, channel) => answering(handover.checkOut(channel, request, purposeOf(request)))
    const putOnline: Row = ({ programType, volume, partition }, channel) =>
      partition === ""
        ? failed(BAD_PART)
        : answering(handover.putOnline(channel, programType, volume, fullPartitionName(partition)))
    return {
      VOL_ON: putOnline,
      VOL_ATTACH: putOnline,
      VOL_OFF: checkOut,
      VOL_NEEDVOLUME: checkOut,
      VOL_LEAVE_OFF: ({ programType, volume, partition }, channel) =>
        partition === ""
          ? failed(BAD_PART)
          : answering(handover.leaveOffline(channel, programType, volume, partition), "unknownVolume"),
      VOL_DONE: ({ programType, volume, partition }, channel) =>
        answering(handover.deleted(channel, programType, volume, partition), "unknownVolume"),
      VOL_MOVE: ({ volume, partition }) => answering(handover.moved(volume, partition)),
      VOL_FORCE_ERROR: ({ programType, volume, partition, reason }, channel) =>
        answering(
          handover.forceError(channel, programType, volume, partition, reason === fssyncReasons.SALVAGE),
          "unknownVolume",
          "wrongPartition",
        ),
      VOL_BREAKCBKS({ volume }) {
        context.callbacks.breakVolume(volume)
        return okAnswer
      },
    } satisfies Partial<Record<FssyncCommand, Row>>
  }

  #queryRows() {
    const volumes = this.#volumes
    return {
      VOL_LISTVOLUMES: () => okAnswer,
      VOL_QUERY: (request) => this.#withVolume(request, (volume) => ok(reportVolume(volume))),
      VOL_QUERY_HDR: (request) =>
        this.#withVolume(request, ({ attachment }) =>
          attachment === undefined ? failed(fssyncReasons.HDR_NOT_ATTACHED) : ok(attachment.info),
        ),
      VOL_QUERY_VOP: (request, channel) => this.#queryOperation(request, channel),
      VOL_QUERY_VNODE: (request) => queryVnode(volumes.find(request.volume), request),
      VOL_STATS_GENERAL: () => ok(generalStats(volumes)),
      VOL_STATS_VICEP: ({ partition }) => okOr(partitionStats(volumes, fullPartitionName(partition))),
      VOL_STATS_HASH: ({ volume }) => okOr(hashStats(volumes, volume)),
      VOL_STATS_HDR: () => ok(headerStats(volumes)),
      VOL_STATS_VLRU: ({ volume }) => okOr(vlruStats(volumes, volume)),
    } satisfies Partial<Record<FssyncCommand, Row>>
  }

  #groupRows() {
    return {
      VG_QUERY: (request) => this.#withGroups(request, (groups) => answerGroup(groups.query(request.volume))),
      VG_ADD: (request) =>
        this.#withGroups(request, (groups) =>
          groups.add(request.parent, request.volume) ? okWhatever : failed(WHATEVER),
        ),
      VG_DEL: (request) => this.#withGroups(request, (groups) => removeMember(groups, request)),
      VG_SCAN: (request) => this.#withGroups(request, (groups) => (groups.startScan() ? okAnswer : failed(0))),
      VG_SCAN_ALL: () => {
        const started = [...this.#volumes.allGroups()].map((groups) => groups.startScan())
        return started.includes(false) ? failed(0) : okAnswer
      },
    } satisfies Partial<Record<FssyncCommand, Row>>
  }

  /** Commands that OpenAFS does not have. */
  #ownRows() {
    return {
      VOL_GET: (request, channel) => this.#get(request, channel),
      VOL_PUT: ({ volume }, channel) => answerPut(this.#uses.end(channel, volume)),
      VOL_LIST: ({ partition }) => this.#list(partition),
      SERVER_STATUS: () => ok(this.#status()),
    } satisfies Partial<Record<FssyncCommand, Row>>
  }

  #withVolume(request: SyncRequest, work: (volume: ServerVolume) => Eventually<SyncAnswer>): Eventually<SyncAnswer> {
    const volume = this.#volumes.find(request.volume)
    if (volume === undefined) return failed(UNKNOWN_VOLID)
    return volume.isOn(request.partition) ? work(volume) : failed(WRONG_PART)
  }

  #withGroups(request: SyncRequest, work: (groups: PartitionGroups) => SyncAnswer): SyncAnswer {
    const groups = this.#volumes.groups(fullPartitionName(request.partition))
    return groups === undefined ? failed(BAD_PART) : work(groups)
  }

  #queryOperation(request: SyncRequest, channel: SyncChannel): Eventually<SyncAnswer> {
    return this.#withVolume(request, (volume) => {
      if (volume.cell.isExclusive) return volume.cell.changed().then(() => this.#queryOperation(request, channel))
      this.#volumes.handover.verified(channel, request, volume.id)
      const operation = reportOperation(volume)
      if (operation !== undefined) return ok(operation)
      return failed(volume.state === "DELETED" ? UNKNOWN_VOLID : fssyncReasons.NO_PENDING_VOL_OP)
    })
  }

  #get({ volume, partition }: SyncRequest, channel: SyncChannel): Eventually<SyncAnswer> {
    if (this.#volumes.find(volume)?.isOn(partition) === false) return failed(WRONG_PART)
    if (!this.#uses.hasRoom(channel)) return denied(commonReasons.NOMEM)
    try {
      const begun = this.#uses.begin(channel, volume)
      return begun instanceof Promise ? begun.then(() => okAnswer, refusedGet) : okAnswer
    } catch (error) {
      return refusedGet(error)
    }
  }

  #list(partition: string): SyncAnswer {
    if (partition !== "" && this.#volumes.partition(partition) === undefined) return failed(BAD_PART)
    const rows: VolumeRow[] = []
    for (const volume of this.#volumes.volumes()) if (volume.isOn(partition)) rows.push(reportRow(volume))
    return ok(rows)
  }

  #status(): ServerStatus {
    const { version, startTime, options } = this.#facts
    const partitions = this.#volumes.partitions.map(({ name, path }) => ({
      name,
      path,
      volumes: countOn(this.#volumes, name),
    }))
    return { pid: process.pid, version, startTime, partitions, options: [...options] }
  }
}

function rowsByNumber(rows: Readonly<Record<FssyncCommand, Row>>): ReadonlyMap<number, Row> {
  return new Map(Object.entries(rows).map(([name, row]) => [isCommand(name) ? fssyncCommands[name] : 0, row]))
}

function isCommand(name: string): name is FssyncCommand {
  return name in fssyncCommands
}

function answerPut(ending: UseEnding): SyncAnswer {
  if (ending === "ended") return okAnswer
  return ending === "unknown" ? failed(UNKNOWN_VOLID) : denied(codes[ending.aborted].number ?? 0)
}

const okWhatever: SyncAnswer = { response: responses.OK, reason: WHATEVER }

/** The partition is not looked at. */
function queryVnode(volume: ServerVolume | undefined, request: SyncRequest): SyncAnswer {
  if (volume === undefined) return failed(UNKNOWN_VOLID)
  const vnode = volume.attached?.vnodeInCore(request.vnode, request.unique)
  return vnode === undefined ? failed(fssyncReasons.UNKNOWN_VNID) : ok(reportVnode(vnode))
}

function okOr(payload: unknown): SyncAnswer {
  return payload === undefined ? failed(0) : ok(payload)
}

function refusedGet(error: unknown): SyncAnswer {
  if (error instanceof AfsError) return denied(codes[error.code].number ?? 0)
  throw error
}

function answerGroup(answer: GroupQuery): SyncAnswer {
  switch (answer.kind) {
    case "group":
      return ok({ parent: answer.parent, members: answer.members })
    case "scanning":
      return failed(fssyncReasons.PART_SCANNING)
    case "unknown":
      return failed(UNKNOWN_VOLID)
    // Salvagers then read the headers themselves.
    case "unclear":
    case "failed":
      return failed(fssyncReasons.VOL_PKG_ERROR)
  }
}

function removeMember(groups: PartitionGroups, request: SyncRequest): SyncAnswer {
  const result = groups.remove(request.parent, request.volume)
  if (result === "removed") return okWhatever
  return failed(result === "unknown" ? UNKNOWN_VOLID : WHATEVER)
}
