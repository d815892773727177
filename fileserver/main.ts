/** The fileserver on one page. Its socket appears, and clients are served, only when every volume's name is known. */
import { type Clock, secondsOf, systemClock } from "../common/clock.ts"
import { nodeDisk } from "../common/disk/node-disk.ts"
import type { Logger } from "../common/log.ts"
import { reportOnRequest } from "../common/log-signals.ts"
import type { ServingSync } from "../common/volume/serving-caches.ts"
import type { LruOptions } from "../common/volume/volume-lru.ts"
import { VolumePackage } from "../common/volume/volume-package.ts"
import type { StoreSlack } from "../common/volume/volume-usage.ts"
import { fssyncProtocol } from "../fssync/command-table.ts"
import { listenSync } from "../fssync/server.ts"
import { prepareStateDirectory } from "../fssync/socket-path.ts"
import { type CellOptions, readMembership } from "./cell-membership.ts"
import { type ClientPortOptions, type ClientSide, openClientSide } from "./client-side.ts"
import { generalStats } from "./fssync-report.ts"
import { FssyncService } from "./fssync-service.ts"
import { PidFile } from "./pid-file.ts"
import { SalvsyncLink } from "./salvsync-link.ts"
import { discardSavedClients, openServedPartitions } from "./served-partitions.ts"
import type { ChangesBy } from "./serving.ts"

/** What a fileserver is started with; times in milliseconds. */
export interface FileserverConfig extends CellOptions, ClientPortOptions {
  /** Undefined: all partitions of the machine. */
  readonly partitions: readonly string[] | undefined
  /** By which volumes grow idle; the machine's if absent. */
  readonly clock?: Clock | undefined
  /** `false`: idle volumes stay attached. */
  readonly lru: LruOptions | false
  /** Undefined: users are waited for without end. */
  readonly offlineTimeoutMs: number | undefined
  readonly offlineShutdownTimeoutMs: number | undefined
  readonly lockHoldOffMs: number
  readonly checkoutsMax: number
  /** When clients' changes reach the platter. */
  readonly sync: ServingSync
  /** How far stores may go beyond a quota. */
  readonly slack: StoreSlack
  readonly changesBy: ChangesBy
  readonly address: string | undefined
  readonly version: string
  /** As given on the command line, for SERVER_STATUS. */
  readonly options: readonly { readonly name: string; readonly value: string }[]
}

/**
 * Serves until `stopped` resolves with a reason, then detaches every volume. `ready` is called, with
 * the UDP port, when clients are served and the FSSYNC socket is there.
 * @throws AfsError if the partitions cannot be served, or another fileserver has the state directory
 */
export async function serveVolumes(
  config: FileserverConfig,
  log: Logger,
  stopped: Promise<string>,
  ready: (port: number) => void,
): Promise<void> {
  const { stateDirectory } = config
  const partitions = openServedPartitions(config.partitions, log)
  prepareStateDirectory(stateDirectory)
  const membership = readMembership(config, log)
  await using salvageServer = new SalvsyncLink(stateDirectory)
  await using clientSide = await openClientSide(config, membership, log)
  await using volumes = new ServedVolumes(
    new VolumePackage(partitions, {
      ...config,
      log,
      callbacks: clientSide.clients.callbacks,
      salvageServer,
      // Immediates run behind the datagrams of a turn and their answers.
      later: (work) => void setImmediate(work),
    }),
    log,
  )
  const startTime = secondsOf(systemClock.now())
  const service = new FssyncService(volumes.package, { version: config.version, startTime, options: config.options })
  await using fssync = await listenSync({
    path: `${stateDirectory}/fssync.sock`,
    protocol: fssyncProtocol,
    handle: (request, channel) => service.handle(request, channel),
    onChannelClosed: (channel) => service.channelClosed(channel),
    log,
  })
  discardSavedClients(stateDirectory, nodeDisk, log)
  using _pid = PidFile.write(stateDirectory, nodeDisk)
  const { cell, uuid } = membership
  const { port } = clientSide
  clientSide.serve(volumes.package, config.changesBy)
  using _service = new Service(clientSide)
  using _report = reportOnRequest(log, () => generalStats(volumes.package))
  log.info(
    { port, ...clientSide.backEnd, socket: fssync.path, cell, uuid, volumes: volumes.package.volumeCount },
    "fileserver ready",
  )
  ready(port)
  log.info({ reason: await stopped }, "fileserver stopping")
}

/** Leaving the scope tells new calls that the server restarts; those that run end with the volumes. */
class Service implements Disposable {
  readonly #clientSide: ClientSide

  constructor(clientSide: ClientSide) {
    this.#clientSide = clientSide
  }

  [Symbol.dispose](): void {
    this.#clientSide.refuse()
  }
}

/** Leaving the scope detaches all volumes and says how that went. */
class ServedVolumes implements AsyncDisposable {
  readonly package: VolumePackage
  readonly #log: Logger

  constructor(volumes: VolumePackage, log: Logger) {
    this.package = volumes
    this.#log = log
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const started = systemClock.now()
    const report = await this.package.close()
    this.#log.info({ ...report, ms: systemClock.now() - started }, "fileserver stopped")
  }
}
