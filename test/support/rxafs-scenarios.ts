/**
 * What clients can observe of a fileserver, as scenarios that give transcripts: the same scenarios against two servers, on
 * volumes that are alike, have to give the same transcripts. What may differ by nature is taken out: times become "now" or
 * their distance, volume ids their names, uniquifiers the order in which they were seen.
 */
import { randomBytes } from "node:crypto"
import { uuidOfBytes } from "../../common/codec/uuid.ts"
import type { AFSCallBack, AFSFid } from "../../common/protocol/afs-types.ts"
import type { AFSFetchStatus, AFSStoreStatus } from "../../common/protocol/afsint.ts"
import { RpcError } from "../../common/rpc/rpc-call.ts"
import {
  type CallFromServer,
  collect,
  openRxafsClient,
  type RxafsClient,
  type RxafsClientOptions,
  storeStatus,
} from "./rxafs-client.ts"

/** Where scenarios run. */
export interface Stage {
  readonly host: number
  readonly port: number
  /** Read-write volumes whose roots are open to everybody, by the name of a scenario's volume. */
  readonly volumes: Readonly<Record<string, number>>
}

/** One observed answer, without what differs by nature. */
export interface Line {
  readonly step: string
  readonly answer: unknown
}

export type Transcript = Line[]

const rememberedUniques = (): ((unique: number) => string) => {
  const seen = new Map<number, string>()
  return (unique) => {
    if (unique <= 1) return String(unique)
    const known = seen.get(unique) ?? `#${seen.size + 1}`
    seen.set(unique, known)
    return known
  }
}

const nowWithin = 120

/** A cache manager that nobody has met: a server would look for one it knows where it was last. */
const newUuid = (): string => uuidOfBytes(randomBytes(16))

/** One scenario at work: a client, a volume, and the transcript. */
export class Act {
  readonly lines: Transcript = []
  readonly client: RxafsClient
  readonly volume: number
  readonly root: AFSFid
  readonly #stage: Stage
  readonly #uniqueName = rememberedUniques()
  readonly #others: RxafsClient[] = []

  constructor(stage: Stage, client: RxafsClient, volume: number) {
    this.#stage = stage
    this.client = client
    this.volume = volume
    this.root = { Volume: volume, Vnode: 1, Unique: 1 }
  }

  get fs(): RxafsClient["fs"] {
    return this.client.fs
  }

  /** Notes what a call answers, and gives it. A call that fails gives undefined. */
  async note<T>(step: string, call: Promise<T>): Promise<T | undefined> {
    try {
      const answer = await call
      this.lines.push({ step, answer: this.plain(answer) })
      return answer
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      this.lines.push({ step, answer: { code: error.code } })
      return undefined
    }
  }

  /** As `note`, for steps that have to succeed for the scenario to go on. */
  async must<T>(step: string, call: Promise<T>): Promise<T> {
    const answer = await this.note(step, call)
    if (answer === undefined) throw new Error(`${step} failed: ${JSON.stringify(this.lines.at(-1))}`)
    return answer
  }

  say(step: string, answer: unknown): void {
    this.lines.push({ step, answer: this.plain(answer) })
  }

  /** A further client at the same server. */
  async another(options: Partial<RxafsClientOptions> = {}): Promise<RxafsClient> {
    const { host, port } = this.#stage
    const client = await openRxafsClient({ host, port, uuid: newUuid(), ...options })
    this.#others.push(client)
    return client
  }

  async end(): Promise<void> {
    for (const other of this.#others) await other[Symbol.asyncDispose]()
  }

  /** Breaks that a client got, without what differs by nature. */
  breaksOf(client: RxafsClient): unknown {
    return client.takeBreaks().map((call: CallFromServer) => this.plain(call))
  }

  /** A value of the protocol without what differs by nature. */
  plain(value: unknown, key = ""): unknown {
    if (typeof value === "number") return this.#plainNumber(value, key)
    if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1")
    if (Array.isArray(value)) return value.map((one) => this.plain(one, key))
    if (typeof value !== "object" || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, this.plain(one, name)]))
  }

  #plainNumber(value: number, key: string): unknown {
    if (key === "ExpirationTime") return lifetimeName(value)
    if (key === "spare1") return value === 0 ? 0 : "created"
    if (/Time$|^Seconds$/.test(key)) return isNow(value) ? "now" : value
    if (/Unique$/.test(key)) return this.#uniqueName(value)
    return value === this.volume ? "volume" : value
  }
}

const isNow = (seconds: number): boolean => Math.abs(seconds - Date.now() / 1000) < nowWithin

/** Promises last up to 127 s longer than their nominal time. */
const lifetimes = [14_400, 7_200, 3_600, 1_800, 900, 600, 420] as const
function lifetimeName(seconds: number): string {
  const nominal = lifetimes.find((one) => seconds >= one && seconds < one + 128)
  return nominal === undefined ? String(seconds) : `${nominal}+`
}

/** A scenario; `volume` is the key of its volume in the stage. */
export interface Scenario {
  readonly name: string
  readonly volume: string
  run(act: Act): Promise<void>
}

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1")
const everything: AFSStoreStatus = storeStatus({ mode: 0o644 })
const unchanged = storeStatus({})

export const scenarioTools = { bytes, everything, unchanged }

/** Fetches and gives data and status. */
export async function fetched(act: Act, Fid: AFSFid, Pos = 0, Length = 2 ** 40): Promise<unknown> {
  let data = Buffer.alloc(0) as Buffer
  let announced: number | undefined
  const reply = await act.fs.FetchData64({ Fid, Pos, Length }, async (bulk) => {
    announced = bulk.length
    data = await collect(bulk)
  })
  return { announced, data, ...reply }
}

/** Stores all of the bytes at a position. */
export async function stored(
  fs: RxafsClient["fs"],
  Fid: AFSFid,
  data: Uint8Array,
  numbers: { Pos?: number; Length?: number; FileLength?: number } = {},
  InStatus: AFSStoreStatus = unchanged,
): Promise<{ OutStatus: AFSFetchStatus }> {
  const { Pos = 0, Length = data.length, FileLength = Pos + data.length } = numbers
  return await fs.StoreData64({ Fid, InStatus, Pos, Length, FileLength }, (bulk) => bulk.write(data))
}

/** Gives everybody these rights in a directory. */
export async function allow(fs: RxafsClient["fs"], Fid: AFSFid, rights: number): Promise<void> {
  await fs.StoreACL({ Fid, AccessList: bytes(`1\n0\nsystem:anyuser\t${rights}\n\0`) })
}

/** Runs a scenario with a client of its own. */
export async function runScenario(stage: Stage, scenario: Scenario): Promise<Transcript> {
  const volume = stage.volumes[scenario.volume]
  if (volume === undefined) throw new Error(`no volume ${scenario.volume}`)
  await using client = await openRxafsClient({ host: stage.host, port: stage.port, uuid: newUuid() })
  const act = new Act(stage, client, volume)
  try {
    await scenario.run(act)
  } finally {
    await act.end()
  }
  return act.lines
}

export type { AFSCallBack, AFSFid }
