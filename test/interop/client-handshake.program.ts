/**
 * Scripted cache managers against a fileserver, wherever that is reached: `host port volume [only]`. Prints as JSON, scenario by
 * scenario, what the server asked of them. Lifetimes and waiting times are rounded to what both servers promise.
 * Some run on their own only: `before` and `after` a restart of the server, and `release` of the volume, which has a replica.
 */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { RpcError } from "../../common/rpc/rpc-call.ts"
import { parseHost } from "../../common/rx/datagram-port.ts"
import { type CacheManagerScript, fid } from "../support/cache-manager.ts"
import { type WireClient, wireClient } from "../support/wire-client.ts"

const [, , hostText = "", portText = "", volumeText = "", only] = process.argv
const server = { host: parseHost(hostText) ?? 0, port: Number(portText) }
const volume = Number(volumeText)
const root = fid(volume, 1, 1)
const noStatus = { Mask: 0, ClientModTime: 0, Owner: 0, Group: 0, UnixModeBits: 0, SegSize: 0 }
const touch = { ...noStatus, Mask: 1, ClientModTime: 1_700_000_000 }

let made = process.pid * 1000
const newUuid = (): string => `${(0x1000_0000 + made++).toString(16)}-4fcf-1b01-8b-16-0a6300010aa7`
const client = (script: Partial<CacheManagerScript> = {}, port?: number): Promise<WireClient> =>
  wireClient(server, { uuid: newUuid(), addresses: [server.host], ...script }, port)

let files = 0
/** A new file in the volume's root, made by somebody else. */
async function newFile() {
  await using maker = await client()
  const Name = Buffer.from(`handshake-${process.pid}-${files++}`)
  const { OutFid } = await maker.calls.CreateFile({
    DirFid: root,
    Name,
    InStatus: { ...noStatus, Mask: 8, UnixModeBits: 0o666 },
  })
  await maker.calls.GiveUpAllCallBacks()
  return OutFid
}

const codeOf = (error: unknown): string => (error instanceof RpcError ? `code ${error.code}` : String(error))

/** What was heard and how the call ended, in their order; servers' UUIDs and files' numbers are left out. */
async function during({ manager }: WireClient, call: Promise<unknown>): Promise<string[]> {
  const end = await call.then(
    () => "answered",
    (error: unknown) => codeOf(error),
  )
  return [...plain(manager.news()), end]
}

const plain = (calls: readonly string[]): string[] =>
  calls.map((call) => call.replace(/^(InitCallBackState3) .*/, "$1").replaceAll(/\d+\.\d+\.\d+/g, "fid"))

/** Seconds, to a tenth of a lifetime at most: `4 h`. */
function lifetimeText(seconds: number): string {
  for (const lifetime of [14_400, 7_200, 3_600, 1_800, 900, 600, 420])
    if (seconds >= lifetime && seconds < lifetime + 128) return `${lifetime / 60} min`
  return `${seconds} s`
}

const soon = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

type Scenario = () => Promise<unknown>

const scenarios: Record<string, Scenario> = {
  async "new client"() {
    await using one = await client()
    const first = await during(one, one.calls.GetCapabilities())
    const again = await during(one, one.calls.GetCapabilities())
    return { first, again, further: await during(one, one.connect().GetCapabilities()) }
  },
  async "client of WhoAreYou"() {
    await using one = await client({ knows: "WhoAreYou" })
    const first = await during(one, one.calls.GetCapabilities())
    return { first, further: await during(one, one.connect().GetCapabilities()) }
  },
  async "client without UUID"() {
    await using one = await client({ uuid: undefined })
    const first = await during(one, one.calls.GetCapabilities())
    return { first, further: await during(one, one.connect().GetCapabilities()) }
  },
  async "client that refuses to tell"() {
    await using one = await client({ refuse: (call) => (call === "TellMeAboutYourself" ? 7 : undefined) })
    return await during(one, one.calls.GetCapabilities())
  },
  async "client that refuses everything"() {
    await using one = await client({ refuse: () => 7 })
    return await during(one, one.calls.GetCapabilities())
  },
  async "client without the capability"() {
    await using one = await client({ capabilities: [] })
    const [ask, missing] = [{ DirFid: root, Name: Buffer.from("nothing") }, await client()]
    await using _ = missing
    return [await during(one, one.calls.RemoveFile(ask)), await during(missing, missing.calls.RemoveFile(ask))]
  },
  async "another client at the same port"() {
    await using one = await client()
    const Fid = await newFile()
    await using writer = await client()
    await one.calls.FetchStatus({ Fid })
    one.manager.news()
    one.manager.script.uuid = newUuid()
    const changed = await during(one, one.connect().GetCapabilities())
    await writer.calls.StoreStatus({ Fid, InStatus: touch })
    return { changed, broken: plain(one.manager.news()) }
  },
  async "the same client at another port"() {
    const uuid = newUuid()
    await using one = await client({ uuid })
    await using two = await client({ uuid })
    await using writer = await client()
    const Fid = await newFile()
    await one.calls.FetchStatus({ Fid })
    one.manager.news()
    const second = await during(two, two.calls.GetCapabilities())
    const asked = plain(one.manager.news())
    await writer.calls.StoreStatus({ Fid, InStatus: touch })
    return { second, asked, broken: [plain(one.manager.news()), plain(two.manager.news())] }
  },
  async "a client that moved to another port"() {
    const uuid = newUuid()
    await using one = await client({ uuid })
    await using two = await client({ uuid })
    await using writer = await client()
    const Fid = await newFile()
    await one.calls.FetchStatus({ Fid })
    await one.leave()
    const second = await during(two, two.calls.GetCapabilities())
    await writer.calls.StoreStatus({ Fid, InStatus: touch })
    return { second, broken: plain(two.manager.news()) }
  },
  async "another client at the old port"() {
    const uuid = newUuid()
    await using one = await client({ uuid })
    await using two = await client({ uuid })
    await using writer = await client()
    const Fid = await newFile()
    await one.calls.FetchStatus({ Fid })
    one.manager.news()
    one.manager.script.uuid = newUuid()
    const second = await during(two, two.calls.GetCapabilities())
    const asked = plain(one.manager.news())
    const first = await during(one, one.connect().GetCapabilities())
    await writer.calls.StoreStatus({ Fid, InStatus: touch })
    return { second, asked, first, broken: [plain(one.manager.news()), plain(two.manager.news())] }
  },
  async lifetimes() {
    const Fid = await newFile()
    const clients: WireClient[] = []
    const told: string[] = []
    for (let nth = 0; nth < 66; nth++) {
      const one = await client()
      clients.push(one)
      const { CallBack } = await one.calls.FetchStatus({ Fid })
      if ([0, 7, 8, 15, 16, 23, 24, 39, 40, 63, 64].includes(nth)) told.push(lifetimeText(CallBack.ExpirationTime))
    }
    const [first] = clients
    const again = (await first?.calls.FetchStatus({ Fid }))?.CallBack.ExpirationTime ?? 0
    const fresh = await newFile()
    const bulk = await first?.calls.InlineBulkStatus({ FidsArray: [fresh, Fid] })
    await using writer = await client()
    await writer.calls.StoreStatus({ Fid, InStatus: touch })
    const broken = clients.filter(({ manager }) => plain(manager.news()).at(-1) === "CallBack fid").length
    for (const one of clients) await one[Symbol.asyncDispose]()
    const inBulk = bulk?.CBArray.map(({ ExpirationTime }) => lifetimeText(ExpirationTime))
    return { told, again: lifetimeText(again), inBulk, broken }
  },
  async "given up"() {
    const Fid = await newFile()
    await using one = await client()
    await using writer = await client()
    await one.calls.FetchStatus({ Fid })
    one.manager.news()
    const dropped = { CallBackVersion: 1, ExpirationTime: 0, CallBackType: 3 }
    const gaveUp = await during(one, one.calls.GiveUpCallBacks({ Fids_Array: [Fid], CallBacks_Array: [dropped] }))
    const none = await during(one, one.calls.GiveUpCallBacks({ Fids_Array: [Fid], CallBacks_Array: [dropped] }))
    await writer.calls.StoreStatus({ Fid, InStatus: touch })
    const after = plain(one.manager.news())
    await one.calls.FetchStatus({ Fid })
    await writer.calls.StoreStatus({ Fid, InStatus: touch })
    await writer.calls.StoreStatus({ Fid, InStatus: touch })
    const once = plain(one.manager.news())
    await one.calls.FetchStatus({ Fid })
    const all = await during(one, one.calls.GiveUpAllCallBacks())
    await writer.calls.StoreStatus({ Fid, InStatus: touch })
    return { gaveUp, none, after, once, all, known: await during(one, one.calls.GetCapabilities()) }
  },
  async "a silent client"() {
    const Fids = [await newFile(), await newFile()]
    const [Fid = root, other = root] = Fids
    await using one = await client()
    await using writer = await client()
    for (const each of Fids) await one.calls.FetchStatus({ Fid: each })
    one.manager.news()
    await one.fallSilent()
    const begin = performance.now()
    await writer.calls.StoreStatus({ Fid, InStatus: touch })
    const first = performance.now() - begin
    await writer.calls.StoreStatus({ Fid: other, InStatus: touch })
    const second = performance.now() - begin - first
    await one.comeBack()
    const back = await during(one, one.calls.GetCapabilities())
    const waits = { first: first > 3_000 && first < 20_000 ? "seconds" : first, second: second < 500 ? "none" : second }
    return { ...waits, back }
  },
  async "a client that refuses a break"() {
    const Fid = await newFile()
    await using one = await client()
    await using writer = await client()
    await one.calls.FetchStatus({ Fid })
    one.manager.news()
    one.manager.script.refuse = (call) => (call === "CallBack" ? 7 : undefined)
    await writer.calls.StoreStatus({ Fid, InStatus: touch })
    const refused = plain(one.manager.news())
    const still = await during(one, one.calls.GetCapabilities())
    one.manager.script.refuse = () => undefined
    const heard = await during(one, one.calls.GetCapabilities())
    await soon(10)
    return { refused, still, heard, next: await during(one, one.connect().GetCapabilities()) }
  },
}

/** What of the volume's replica is promised, and what is heard when the volume is released again. */
async function release(): Promise<unknown> {
  const replica = fid(volume + 1, 1, 1)
  await using one = await client()
  const { CallBack } = await one.calls.FetchStatus({ Fid: replica })
  await one.calls.FetchStatus({ Fid: replica })
  one.manager.news()
  const heard = new Promise<void>((resolve) => {
    one.manager.onHeard = () => resolve()
  })
  await promisify(execFile)("vos", ["release", String(volume), "-noauth"])
  await Promise.race([heard, soon(10_000)])
  const broken = one.manager.news().map((call) => call.replace(String(volume + 1), "replica"))
  return {
    lifetime: lifetimeText(CallBack.ExpirationTime),
    broken,
    next: await during(one, one.calls.GetCapabilities()),
  }
}

/** The client that sees a restart is the same in both runs. */
const survivor = () => client({ uuid: "1234abcd-4fcf-1b01-8b-16-0a6300010aa7" }, 7011)

const onDemand: Record<string, Scenario> = {
  release,
  async before() {
    await using one = await survivor()
    const first = await during(one, one.calls.FetchStatus({ Fid: root }))
    return [first, await during(one, one.calls.FetchStatus({ Fid: root }))]
  },
  async after() {
    await using one = await survivor()
    await using writer = await client()
    await writer.calls.StoreStatus({ Fid: root, InStatus: touch }).catch(() => undefined)
    const broken = plain(one.manager.news())
    return { broken, next: await during(one, one.calls.GetCapabilities()) }
  },
}

const transcripts: Record<string, unknown> = {}
const chosen = only !== undefined && only in onDemand ? onDemand : scenarios
for (const [name, scenario] of Object.entries(chosen)) {
  if (only !== undefined && !name.includes(only)) continue
  try {
    transcripts[name] = await scenario()
  } catch (error) {
    transcripts[name] = error instanceof Error ? error.message : String(error)
  }
}
process.stdout.write(JSON.stringify(transcripts, undefined, 1))
