/**
 * What outlives an orderly restart: hosts and their promises, in one file of the state directory. Clients keep their caches over
 * it, so it must never be believed when it could be wrong:
 *
 * - it is removed when it is read, so a server that did not end in order leaves none;
 * - each volume with promises is saved with a stamp of its files, and what was promised on a volume that was touched
 *   since is broken;
 * - what is not whole, of another version or of another server, or from the future, is refused.
 *
 * OpenAFS viced/state_analyzer.c, viced/serialize_state.c keep fsstate.dat for the same purpose, in a form of their own.
 *
 *     0   8   "dafsclnt"
 *     8  32   SHA-256 of all that follows
 *     40      msgpack: version, server UUID, time, hosts, promises, volumes
 */
import { createHash } from "node:crypto"
import type { Millis } from "../common/clock.ts"
import { type Disk, isDiskError } from "../common/disk/disk.ts"
import { FormatError } from "../common/error.ts"
import { packPlain, unpackPlain } from "../fssync/plain-msgpack.ts"
import { bytes, count, flag, list, optional, record, type ShapeOf, text, u32 } from "../fssync/shape.ts"
import type { Host } from "./host.ts"
import type { HostRegister } from "./host-register.ts"
import type { PromiseStore } from "./promise-store.ts"

const magic = Buffer.from("dafsclnt", "latin1")
const sumBytes = 32
const headBytes = magic.length + sumBytes
const version = 1

const hostShape = record("host", {
  uuid: optional(text),
  /** Address and port in turns; the first is called. */
  addresses: list(u32),
  reported: list(u32),
  translatesErrors: flag,
  isDown: flag,
  needsReset: flag,
  lastCall: count,
})
const volumeShape = record("volume", { id: u32, stamp: text })
const stateShape = record("saved clients", {
  version: u32,
  serverUuid: text,
  savedAt: count,
  hosts: list(hostShape),
  /** Words of 32 bits, least byte first: volume, vnode, unique, place in `hosts`, end, 1 if the host is to be told of a break. */
  promises: bytes,
  volumes: list(volumeShape),
})
type SavedState = ShapeOf<typeof stateShape>
type SavedHost = ShapeOf<typeof hostShape>

const promiseWords = 6
const promiseBytes = promiseWords * 4

/** Something about the files of a volume that changes whenever anybody changes the volume; undefined if it is not there. */
type StampOf = (volume: number) => string | undefined

interface Tables {
  readonly register: HostRegister
  readonly store: PromiseStore
}

export interface SavedFacts {
  readonly serverUuid: string
  readonly now: Millis
  readonly stampOf: StampOf
}

/** Hosts and promises as a file. */
export function encodeClients({ register, store }: Tables, { serverUuid, now, stampOf }: SavedFacts): Uint8Array {
  const hosts = [...register]
  const state: SavedState = {
    version,
    serverUuid,
    savedAt: now,
    hosts: hosts.map(savedHost),
    promises: savedPromises(store, new Map(hosts.map((host, place) => [host.index, place]))),
    volumes: [...store.volumes()].map((id) => ({ id, stamp: stampOf(id) ?? "" })),
  }
  const body = packPlain(stateShape.pack(state))
  return Buffer.concat([magic, createHash("sha256").update(body).digest(), body])
}

function savedHost(host: Host): SavedHost {
  const { uuid, reported, translatesErrors, isDown, needsReset, lastCall } = host
  const addresses = host.addresses.flatMap(({ host: ip, port }) => [ip, port])
  return { uuid, addresses, reported: [...reported], translatesErrors, isDown, needsReset, lastCall }
}

function savedPromises(store: PromiseStore, places: ReadonlyMap<number, number>): Uint8Array {
  const view = new DataView(new ArrayBuffer(store.count * promiseBytes))
  let offset = 0
  for (const at of store.all()) {
    const { Volume, Vnode, Unique } = store.fidOf(at)
    const words = [
      Volume,
      Vnode,
      Unique,
      places.get(store.hostOf(at)) ?? 0,
      store.endOf(at),
      store.isDelayed(at) ? 1 : 0,
    ]
    for (const word of words) {
      view.setUint32(offset, word, true)
      offset += 4
    }
  }
  return new Uint8Array(view.buffer)
}

/** @throws FormatError if the file is damaged or of another version */
function decodeClients(file: Uint8Array, path: string): SavedState {
  const { head, sum, body } = partsOf(Buffer.from(file.buffer, file.byteOffset, file.length))
  if (!head.equals(magic)) throw new FormatError("saved clients", { path, offset: 0 }, "other bytes", '"dafsclnt"')
  if (!createHash("sha256").update(body).digest().equals(sum))
    throw new FormatError("saved clients", { path, offset: magic.length }, "another checksum", "that of the contents")
  const plain = unpackPlain(body)
  const found = Array.isArray(plain) ? plain[0] : undefined
  if (found !== version) throw new FormatError("saved clients", { path }, `version ${String(found)}`, `${version}`)
  const state = stateShape.unpack(plain, "saved clients")
  requireSound(state, path)
  return state
}

function partsOf(file: Buffer): { head: Buffer; sum: Buffer; body: Buffer } {
  const head = file.subarray(0, magic.length)
  return { head, sum: file.subarray(magic.length, headBytes), body: file.subarray(headBytes) }
}

function requireSound({ hosts, promises }: SavedState, path: string): void {
  const where = { path }
  const seen = new Set<string>()
  for (const { uuid, addresses } of hosts) {
    if (addresses.length === 0 || addresses.length % 2 !== 0)
      throw new FormatError("saved host", where, `${addresses.length} words of addresses`, "pairs")
    const names = addressesOf(addresses).map(({ host, port }) => `${host}:${port}`)
    for (const name of uuid === undefined ? names : [...names, uuid]) {
      if (seen.has(name)) throw new FormatError("saved host", where, `${name} twice`)
      seen.add(name)
    }
  }
  if (promises.length % promiseBytes !== 0)
    throw new FormatError("saved promises", where, `${promises.length} bytes`, `a multiple of ${promiseBytes}`)
  const view = viewOf(promises)
  for (let offset = 0; offset < promises.length; offset += promiseBytes) {
    const place = view.getUint32(offset + 12, true)
    if (place >= hosts.length) throw new FormatError("saved promise", where, `host ${place}`, `below ${hosts.length}`)
  }
}

const viewOf = (data: Uint8Array): DataView => new DataView(data.buffer, data.byteOffset, data.length)

function addressesOf(words: readonly number[]): { host: number; port: number }[] {
  const addresses: { host: number; port: number }[] = []
  for (let index = 0; index < words.length; index += 2)
    addresses.push({ host: words[index] ?? 0, port: words[index + 1] ?? 0 })
  return addresses
}

/** What came back. `stale`: volumes that were touched since, whose promises have to be broken. */
export interface Restored {
  readonly hosts: number
  readonly promises: number
  readonly stale: readonly number[]
}

/**
 * Fills empty tables with what was saved. What does not fit is left out, and its hosts forget everything before they are served.
 * @throws FormatError if the file is damaged, of another version or server, or from the future: nothing is restored then
 */
export function restoreClients(tables: Tables, file: Uint8Array, path: string, facts: SavedFacts): Restored {
  const state = decodeClients(file, path)
  if (state.serverUuid !== facts.serverUuid)
    throw new FormatError("saved clients", { path }, `server ${state.serverUuid}`, facts.serverUuid)
  if (state.savedAt > facts.now)
    throw new FormatError("saved clients", { path }, `a time ${state.savedAt - facts.now} ms from now`, "the past")
  const hosts = state.hosts.map((saved) => restoreHost(tables.register, saved))
  restorePromises(tables, hosts, state.promises)
  const stale = state.volumes.filter(({ id, stamp }) => stamp === "" || facts.stampOf(id) !== stamp)
  return { hosts: tables.register.size, promises: tables.store.count, stale: stale.map(({ id }) => id) }
}

function restoreHost(register: HostRegister, saved: SavedHost): Host | undefined {
  const [first, ...others] = addressesOf(saved.addresses)
  if (first === undefined || register.isFull) return undefined
  const host = register.add(saved.uuid, first, saved.lastCall)
  for (const other of others) register.addAddress(host, other)
  host.reported = saved.reported
  host.translatesErrors = saved.translatesErrors
  host.isDown = saved.isDown
  host.needsReset = saved.needsReset
  return host
}

function restorePromises({ store }: Tables, hosts: readonly (Host | undefined)[], promises: Uint8Array): void {
  const view = viewOf(promises)
  for (let offset = 0; offset < promises.length; offset += promiseBytes) {
    const word = (index: number): number => view.getUint32(offset + 4 * index, true)
    const host = hosts[word(3)]
    if (host === undefined || host.needsReset) continue
    const at = store.add(word(0), word(1), word(2), host.index, word(4))
    if (at === 0) {
      host.needsReset = true
      for (const dropped of store.ofHost(host.index)) store.remove(dropped)
    } else if (word(5) !== 0) store.delay(at)
  }
}

const fileName = "clients.state"

/** Writes the file whole or not at all. @throws DiskError */
export function saveClients(tables: Tables, stateDirectory: string, disk: Disk, facts: SavedFacts): string {
  const path = `${stateDirectory}/${fileName}`
  const draft = `${path}.new`
  removeIfThere(disk, draft)
  {
    using file = disk.open(draft, "create", 0o600)
    file.write(encodeClients(tables, facts), 0)
    file.sync()
  }
  disk.rename(draft, path)
  disk.syncDirectory(stateDirectory)
  return path
}

/**
 * Takes the file away and gives its bytes, undefined if there is none: it is good for one start.
 * @throws DiskError if it cannot be removed: then it would be believed after a crash
 */
export function takeSavedClients(stateDirectory: string, disk: Disk): { path: string; bytes: Uint8Array } | undefined {
  const path = `${stateDirectory}/${fileName}`
  const found = disk.readFile(path)
  if (found === undefined) return undefined
  disk.unlink(path)
  disk.syncDirectory(stateDirectory)
  return { path, bytes: found }
}

function removeIfThere(disk: Disk, path: string): void {
  try {
    disk.unlink(path)
  } catch (error) {
    if (!isDiskError(error, "ENOENT")) throw error
  }
}
