/**
 * What a fileserver's place in a cell comes from: directories and options in, protection and registration out. A server without
 * a cell serves too: everybody is anonymous, and nobody is told.
 */
import { networkInterfaces } from "node:os"
import { readCellServers } from "../common/cell/cell-servers.ts"
import { type Connect, DatabaseCalls, databasePorts } from "../common/cell/database-calls.ts"
import { readLocalRealms } from "../common/cell/local-realms.ts"
import { type ServerAddresses, serverAddresses } from "../common/cell/server-addresses.ts"
import { ensureServerUuid } from "../common/cell/server-uuid.ts"
import { readThisCell } from "../common/cell/this-cell.ts"
import { type Clock, systemClock } from "../common/clock.ts"
import type { Disk } from "../common/disk/disk.ts"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { AfsError } from "../common/error.ts"
import type { Logger } from "../common/log.ts"
import { PR } from "../common/protocol/ptint.ts"
import { VL } from "../common/protocol/vldbint.ts"
import type { CallSource } from "../common/rpc/client.ts"
import type { ConnectOptions } from "../common/rx/connection.ts"
import { parseHost } from "../common/rx/datagram-port.ts"
import type { Protection } from "./protection.ts"
import { ProtectionServer } from "./protection-server.ts"
import { Registration } from "./registration.ts"
import { type Superusers, superusersOf } from "./superusers.ts"
import { wellKnownProtection } from "./well-known-protection.ts"

/** What of the command line concerns the cell. */
export interface CellOptions {
  /** Folder of ThisCell, CellServDB, UserList; undefined: there is none, and the server belongs to no cell. */
  readonly configurationDirectory: string | undefined
  /** Folder of sysid, NetInfo, NetRestrict and NoAuth, and of the sockets. */
  readonly stateDirectory: string
  /** Name of the cell instead of ThisCell's. */
  readonly cell: string | undefined
  /** The only address to register and serve at, if one was chosen. */
  readonly address: string | undefined
}

/** Who a server is: read before anything is served, since clients are told the UUID. */
export interface CellMembership {
  /** By which clients and location servers know the server. */
  readonly uuid: string
  /** IPv4 addresses of this server at the start. */
  readonly addresses: readonly number[]
  /** Undefined: of no cell. */
  readonly cell: string | undefined
  /** IPv4 addresses of the cell's database servers. */
  readonly databaseServers: readonly number[]
  readonly superusers: Superusers
  readonly options: CellOptions
}

/** Calls may be made from here: an Rx endpoint. */
export interface Caller {
  connect(
    host: number,
    port: number,
    service: number,
    options?: ConnectOptions,
  ): CallSource & { readonly error: number }
}

/** A silent database server is given up after this: there may be another. */
const databaseTiming = { deadMs: 6_000, hardMs: 30_000 }

/**
 * Reads who this server is; makes its UUID at the first start.
 * @throws FormatError for files that cannot be read; AfsError EINVAL for a cell without an entry in CellServDB; DiskError
 */
export function readMembership(options: CellOptions, log: Logger, disk: Disk = nodeDisk): CellMembership {
  const { configurationDirectory, stateDirectory } = options
  const directory = configurationDirectory
  const cell = options.cell ?? (directory === undefined ? undefined : readThisCell(directory, disk))
  const files = { stateDirectory, configurationDirectory, cell: cell ?? "" }
  const { addresses } = addressesOf(options, disk)
  return {
    uuid: ensureServerUuid(stateDirectory, addresses, disk),
    addresses,
    cell,
    databaseServers: cell === undefined || directory === undefined ? [] : databaseServersOf(directory, cell, disk),
    superusers: superusersOf(files, disk, systemClock, log),
    options,
  }
}

function databaseServersOf(directory: string, cell: string, disk: Disk): readonly number[] {
  const entry = readCellServers(directory, cell, disk)
  if (entry !== undefined) return entry.servers.map(({ address }) => address)
  const detail = `the cell has no entry (>${cell}) there`
  throw new AfsError("EINVAL", "readCellServers", { path: `${directory}/CellServDB` }, { detail })
}

function interfaceAddresses(): number[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family }) => family === "IPv4")
    .map(({ address }) => parseHost(address))
    .filter((address) => address !== undefined)
}

function addressesOf({ address, stateDirectory }: CellOptions, disk: Disk): ServerAddresses {
  const chosen = address === undefined ? undefined : parseHost(address)
  if (chosen !== undefined && chosen !== 0) return { addresses: [chosen], complaints: [] }
  return serverAddresses(interfaceAddresses(), stateDirectory, disk)
}

/** Connections to database servers. Security index 0: rxkad with the cell's key will be chosen here. */
const connectFrom =
  (caller: Caller): Connect =>
  (address, port, service) =>
    caller.connect(address, port, service, { timing: databaseTiming })

/** Asks the cell's protection servers, or nobody where there are none. Dispose of it at the end. */
export function openProtection(
  membership: CellMembership,
  caller: Caller,
  log: Logger,
  { disk = nodeDisk, clock = systemClock }: { readonly disk?: Disk; readonly clock?: Clock } = {},
): Protection & Disposable {
  const { superusers, cell = "", databaseServers, options } = membership
  const directory = options.configurationDirectory
  if (databaseServers.length === 0 || directory === undefined)
    return { ...wellKnownProtection(superusers), [Symbol.dispose]: () => undefined }
  const calls = new DatabaseCalls(PR, databasePorts.protection, databaseServers, connectFrom(caller))
  return new ProtectionServer({
    calls,
    superusers,
    localRealms: () => readLocalRealms(directory, cell, disk),
    clock,
    log,
  })
}

/** Registers with the cell's location servers in the background; undefined where there are none. */
export function openRegistration(
  membership: CellMembership,
  caller: Caller,
  log: Logger,
  { disk = nodeDisk, clock = systemClock }: { readonly disk?: Disk; readonly clock?: Clock } = {},
): Registration | undefined {
  const { databaseServers, uuid, options } = membership
  if (databaseServers.length === 0) return undefined
  const calls = new DatabaseCalls(VL, databasePorts.location, databaseServers, connectFrom(caller))
  return new Registration({ calls, uuid, addresses: () => addressesOf(options, disk), clock, log })
}
