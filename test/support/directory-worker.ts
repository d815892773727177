/**
 * A client that works in directories beside others: it makes, fills, moves and removes names of its own, and knows what must be
 * there of them. A server that is busy with the volume is asked again; every other failure, and every answer that cannot be, is
 * an error.
 */
import { setTimeout as after } from "node:timers/promises"
import type { Fileserver, FileserverStubs } from "../../client/fileserver.ts"
import { Directory } from "../../common/directory/directory.ts"
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import { codes } from "../../common/protocol/codes.ts"
import { RpcError } from "../../common/rpc/rpc-call.ts"
import type { Random } from "./random.ts"
import { collect, storeStatus } from "./rxafs-client.ts"

interface OwnObject {
  readonly fid: AFSFid
  /** Index of its directory. */
  place: number
  /** A file's bytes; undefined: a directory. */
  bytes: Buffer | undefined
}

/** What clients get while a volume is checked out or changes its state: the same call succeeds later. */
const passing: readonly number[] = [codes.VBUSY.number, codes.VOFFLINE.number, codes.VRESTARTING.number]
const sizeMax = 30_000
const fidsMax = 50

export class DirectoryWorker {
  /** Calls that were answered. */
  calls = 0
  /** Of these, with a code that passes. */
  refusals = 0
  readonly #fs: FileserverStubs
  readonly #name: string
  readonly #random: Random
  readonly #places: readonly AFSFid[]
  readonly #own = new Map<string, OwnObject>()
  /** Latest data version seen of each place. */
  readonly #versions: number[]
  #made = 0

  constructor(server: Fileserver, name: string, random: Random, places: readonly AFSFid[]) {
    this.#fs = server.rxafs
    this.#name = name
    this.#random = random
    this.#places = places
    this.#versions = places.map(() => 0)
  }

  /** One thing that clients do. @throws Error if the server answers what cannot be */
  async step(): Promise<void> {
    const deeds = [
      this.#create,
      this.#create,
      this.#store,
      this.#move,
      this.#remove,
      this.#list,
      this.#list,
      this.#look,
    ]
    await this.#random.pick(deeds).call(this)
  }

  /** Everything of its own is as it left it. */
  async check(): Promise<void> {
    for (let place = 0; place < this.#places.length; place++) await this.#listOf(place)
    for (const name of this.#own.keys()) await this.#fetch(name)
  }

  async #ask<R>(what: string, call: () => Promise<R>): Promise<R> {
    for (;;) {
      this.calls++
      try {
        return await call()
      } catch (error) {
        if (!(error instanceof RpcError) || !passing.includes(error.code))
          throw new Error(`${this.#name}: ${what}`, { cause: error })
        this.refusals++
        await after(5)
      }
    }
  }

  #fidAt(place: number): AFSFid {
    const fid = this.#places[place]
    if (fid === undefined) throw new Error(`no place ${place}`)
    return fid
  }

  #anyPlace(): number {
    return this.#random.below(this.#places.length)
  }

  #anyName(): string | undefined {
    return this.#own.size === 0 ? undefined : this.#random.pick([...this.#own.keys()])
  }

  /** Names of very different lengths, so that directories grow, and get holes. */
  #newName(): string {
    return `${this.#name}-${this.#made++}-${"x".repeat(this.#random.below(120))}`
  }

  async #create(): Promise<void> {
    const [name, place] = [this.#newName(), this.#anyPlace()]
    const ask = { DirFid: this.#fidAt(place), Name: Buffer.from(name), InStatus: storeStatus({ mode: 0o755 }) }
    const isFile = this.#random.below(4) > 0
    const { OutFid } = await this.#ask(`make ${name}`, () =>
      isFile ? this.#fs.CreateFile(ask) : this.#fs.MakeDir(ask),
    )
    this.#own.set(name, { fid: OutFid, place, bytes: isFile ? Buffer.alloc(0) : undefined })
  }

  async #store(): Promise<void> {
    const name = this.#anyName()
    const own = this.#own.get(name ?? "")
    if (own?.bytes === undefined) return
    const bytes = Buffer.from(this.#random.bytes(this.#random.below(sizeMax)))
    const ask = { Fid: own.fid, InStatus: storeStatus({}), Pos: 0, Length: bytes.length, FileLength: 0 }
    await this.#ask(`store ${name}`, () => this.#fs.StoreData64(ask, (bulk) => bulk.write(bytes)))
    own.bytes = bytes
  }

  async #move(): Promise<void> {
    const name = this.#anyName()
    const own = this.#own.get(name ?? "")
    if (own === undefined || name === undefined) return
    const [newName, place] = [this.#newName(), this.#anyPlace()]
    const [OldDirFid, NewDirFid] = [this.#fidAt(own.place), this.#fidAt(place)]
    const ask = { OldDirFid, OldName: Buffer.from(name), NewDirFid, NewName: Buffer.from(newName) }
    await this.#ask(`rename ${name}`, () => this.#fs.Rename(ask))
    this.#own.delete(name)
    this.#own.set(newName, { ...own, place })
  }

  async #remove(): Promise<void> {
    const name = this.#anyName()
    const own = this.#own.get(name ?? "")
    if (own === undefined || name === undefined) return
    const ask = { DirFid: this.#fidAt(own.place), Name: Buffer.from(name) }
    await this.#ask<unknown>(`remove ${name}`, () =>
      own.bytes === undefined ? this.#fs.RemoveDir(ask) : this.#fs.RemoveFile(ask),
    )
    this.#own.delete(name)
  }

  async #list(): Promise<void> {
    await this.#listOf(this.#anyPlace())
  }

  /** The directory's pages, and the status that came with them, are of one moment, and hold what is its own. */
  async #listOf(place: number): Promise<void> {
    const fid = this.#fidAt(place)
    const what = `pages of directory ${fid.Vnode}`
    const { bytes, status } = await this.#ask(what, () => fetchAll(this.#fs, fid))
    if (bytes.length !== status.Length) throw new Error(`${what}: ${bytes.length} bytes, status has ${status.Length}`)
    this.#seen(place, status.DataVersion)
    const found = new Map<string, number>()
    for (const { name, vnode } of Directory.parse(bytes, what).entries()) {
      if (found.has(name.toString())) throw new Error(`${what}: ${name.toString()} twice`)
      found.set(name.toString(), vnode)
    }
    const mine = [...found]
      .filter(([name]) => name.startsWith(`${this.#name}-`))
      .map(([name, vnode]) => `${name} ${vnode}`)
    const wanted = [...this.#own]
      .filter(([, own]) => own.place === place)
      .map(([name, { fid: of }]) => `${name} ${of.Vnode}`)
    const [one, other] = [mine.sort().join(), wanted.sort().join()]
    if (one !== other) throw new Error(`${what}: of ${this.#name} there is ${one}, wanted ${other}`)
  }

  #seen(place: number, version: number): void {
    const before = this.#versions[place] ?? 0
    if (version < before) throw new Error(`directory ${this.#fidAt(place).Vnode}: version ${version} after ${before}`)
    this.#versions[place] = version
  }

  /** Statuses of a place and of what is its own, one by one and in bulk; and the bytes of a file. */
  async #look(): Promise<void> {
    const place = this.#anyPlace()
    const { OutStatus } = await this.#ask("status", () => this.#fs.FetchStatus({ Fid: this.#fidAt(place) }))
    this.#seen(place, OutStatus.DataVersion)
    const own = [...this.#own.values()].slice(0, fidsMax - this.#places.length)
    const FidsArray = [...this.#places, ...own.map(({ fid }) => fid)]
    const { StatArray } = await this.#ask("bulk status", () => this.#fs.BulkStatus({ FidsArray }))
    const lengths = StatArray.slice(this.#places.length).map(({ Length, FileType }) =>
      FileType === 1 ? Length : undefined,
    )
    const wanted = own.map(({ bytes }) => bytes?.length)
    if (lengths.join() !== wanted.join())
      throw new Error(`${this.#name}: lengths ${lengths.join()}, wanted ${wanted.join()}`)
    const name = this.#anyName()
    if (name !== undefined) await this.#fetch(name)
  }

  async #fetch(name: string): Promise<void> {
    const own = this.#own.get(name)
    if (own?.bytes === undefined) return
    const { bytes } = await this.#ask(`fetch ${name}`, () => fetchAll(this.#fs, own.fid))
    if (!bytes.equals(own.bytes)) throw new Error(`${name}: ${bytes.length} bytes that are not its ${own.bytes.length}`)
  }
}

async function fetchAll(fs: FileserverStubs, Fid: AFSFid) {
  let bytes = Buffer.alloc(0) as Buffer
  const { OutStatus } = await fs.FetchData64({ Fid, Pos: 0, Length: 2 ** 31 - 1 }, async (bulk) => {
    bytes = await collect(bulk)
  })
  return { bytes, status: OutStatus }
}
