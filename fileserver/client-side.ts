/**
 * The fileserver's side towards clients: its UDP port, who they are, what they were promised, and the services they call.
 * Until it serves, and when it ends, new calls are told that the server restarts.
 */
import { secondsOf, systemClock } from "../common/clock.ts"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { AfsError } from "../common/error.ts"
import type { Logger } from "../common/log.ts"
import { RXAFS } from "../common/protocol/afsint.ts"
import { codes } from "../common/protocol/codes.ts"
import { collectionOff, RXSTATS } from "../common/protocol/rxstats.ts"
import { rpcService, type Service } from "../common/rpc/service.ts"
import { openRxSocket, type RxSocket, type SocketBackEnd } from "../common/rx/socket.ts"
import type { VolumePackage } from "../common/volume/volume-package.ts"
import { type CellMembership, openProtection, openRegistration } from "./cell-membership.ts"
import { rxClientCalls } from "./client-calls.ts"
import { Clients } from "./clients.ts"
import { networksOf } from "./own-networks.ts"
import type { Protection } from "./protection.ts"
import type { Registration } from "./registration.ts"
import type { SavedFacts } from "./saved-clients.ts"
import { fileService } from "./service.ts"
import type { ChangesBy, Serving } from "./serving.ts"
import { newServingCounters } from "./serving-counters.ts"
import { volumeStamp } from "./volume-stamp.ts"

/** Where clients find the server. */
export interface ClientPortOptions {
  /** UDP port; 0: any that is free. */
  readonly port: number
  /** IPv4 address to serve at; undefined: all. */
  readonly address: string | undefined
  readonly socketBackEnd: SocketBackEnd
  /** Packets per datagram, 1 to 4; more than 1 are jumbograms. */
  readonly jumbograms: number
  /** Largest single packet, 1444 to 16384. */
  readonly packetSizeMax: number
  /** Callback promises that are kept at most; absent: promisesDefault. */
  readonly promisesMax?: number | undefined
  /** What the server says of itself to `rxdebug -version`. */
  readonly version: string
}

/** Clients that are silent for so long while they are served are given up; who fails the same way again and again waits. OpenAFS viced/viced.c. */
const servedTiming = { deadMs: 30_000, abortDelayMs: 3_000 }

/** @throws AfsError LOCKED if another program has the port */
async function openPort(options: ClientPortOptions): Promise<RxSocket> {
  const { port, address, socketBackEnd, jumbograms, packetSizeMax, version } = options
  const place = `UDP port ${port}`
  try {
    return await openRxSocket({
      port,
      backEnd: socketBackEnd,
      jumbograms,
      packetSizeMax,
      version: `dafs ${version}`,
      checkReach: true,
      ...(address === undefined ? {} : { address }),
    })
  } catch (cause) {
    const isTaken = cause instanceof Error && cause.message.includes("EADDRINUSE")
    const detail = `${place} cannot be had: ${isTaken ? "another program has it" : String(cause)}`
    throw new AfsError(isTaken ? "LOCKED" : "EINVAL", "fileserver", {}, { detail, cause })
  }
}

export class ClientSide implements AsyncDisposable {
  readonly clients: Clients
  readonly #socket: RxSocket
  readonly #protection: Protection & Disposable
  readonly #membership: CellMembership
  readonly #log: Logger
  #registration: Registration | undefined
  #volumes: VolumePackage | undefined

  /** Made by openClientSide. */
  constructor(socket: RxSocket, membership: CellMembership, log: Logger, promisesMax: number | undefined) {
    const { endpoint } = socket
    endpoint.refuse(codes.VRESTARTING.number)
    this.#socket = socket
    this.#membership = membership
    this.#log = log
    this.#protection = openProtection(membership, endpoint, log)
    const calls = rxClientCalls(endpoint, membership.uuid)
    this.clients = new Clients({ calls, protection: this.#protection, clock: systemClock, promisesMax })
    // Known from the first packet on, so that clients are told to come back and not that there is no such service.
    const restarting = (id: number): void =>
      endpoint.register({ id, onCall: (call) => call.abort(codes.VRESTARTING.number) })
    restarting(RXAFS.service)
    restarting(RXSTATS.service)
  }

  get port(): number {
    return this.#socket.port
  }

  /** How datagrams come and go, for the log; the note says why it is not the faster way. */
  get backEnd(): { readonly backEnd: string; readonly note?: string } {
    const { backEnd, backEndNote } = this.#socket
    return backEndNote === "" ? { backEnd } : { backEnd, note: backEndNote }
  }

  /**
   * Takes back what an earlier server saved, takes calls from now on, and tells the cell where this server is.
   * @throws DiskError if what was saved cannot be removed
   */
  serve(volumes: VolumePackage, changesBy: ChangesBy): void {
    const { endpoint } = this.#socket
    this.#volumes = volumes
    this.clients.restore(this.#stateDirectory, nodeDisk, this.#savedFacts(volumes), this.#log)
    const serving: Serving = {
      changesBy,
      volumes,
      hosts: this.clients.hosts,
      callbacks: this.clients.callbacks,
      callbackCounters: () => this.clients.counters(),
      protection: this.#protection,
      connections: () => endpoint.serverConnections,
      networks: networksOf(this.#membership.addresses),
      counters: newServingCounters(secondsOf(systemClock.now())),
      clock: systemClock,
      log: this.#log,
    }
    this.#register(fileService(serving))
    this.#register(rpcService(RXSTATS, collectionOff(systemClock.now), { log: this.#log }))
    endpoint.refuse(0)
    this.#registration = openRegistration(this.#membership, endpoint, this.#log)
  }

  /** New calls are told to come back later; those that run go on. */
  refuse(): void {
    this.#registration?.[Symbol.dispose]()
    this.#socket.endpoint.refuse(codes.VRESTARTING.number)
  }

  /** When all volumes are detached: saves what clients may rely on after a restart, and gives the port back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.refuse()
    this.clients.settle()
    if (this.#volumes !== undefined)
      this.clients.save(this.#stateDirectory, nodeDisk, this.#savedFacts(this.#volumes), this.#log)
    this.clients[Symbol.dispose]()
    this.#protection[Symbol.dispose]()
    await this.#socket.close()
  }

  get #stateDirectory(): string {
    return this.#membership.options.stateDirectory
  }

  #savedFacts(volumes: VolumePackage): Pick<SavedFacts, "serverUuid" | "stampOf"> {
    const stampOf = (id: number): string | undefined => {
      const volume = volumes.find(id)
      return volume === undefined ? undefined : volumeStamp(volume.partition, id)
    }
    return { serverUuid: this.#membership.uuid, stampOf }
  }

  #register(service: Service): void {
    const { id } = service
    this.#socket.endpoint.register({ id, timing: servedTiming, onCall: (call) => service.onCall(call) })
  }
}

/** Opens the port. Nothing is served before `serve`. @throws AfsError if the port cannot be had */
export async function openClientSide(
  options: ClientPortOptions,
  membership: CellMembership,
  log: Logger,
): Promise<ClientSide> {
  return new ClientSide(await openPort(options), membership, log, options.promisesMax)
}
