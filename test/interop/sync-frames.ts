/**
 * The same bytes to the sockets of OpenAFS's servers and to ours, well-formed and not; and the same requests of our client
 * to both: the answers are equal, but for what is listed.
 */
import { createConnection } from "node:net"
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import { SyncClient } from "../../fssync/client.ts"
import { fssyncProtocol, type SyncProtocol, salvsyncProtocol } from "../../fssync/command-table.ts"
import { type Done, FssyncClient } from "../../fssync/fssync-client.ts"
import { fssyncCommands, fssyncReasons, type SyncRequest, salvsyncCommands } from "../../fssync/message.ts"
import { answerHeadLayout } from "../../fssync/openafs-layouts.ts"
import { encodeRequest } from "../../fssync/openafs-request.ts"
import { impatientRule } from "../../fssync/retry-rule.ts"
import { sharedCell, wholeCell } from "../support/cell.ts"
import { inPlaceOf } from "../support/in-place-of.ts"
import { needsCell } from "../support/requirements.ts"
import { sampleRequest } from "../support/sync-samples.ts"

const cell = sharedCell(...wholeCell)

/** Sends bytes in one write to a fresh connection and gives the first answer, or what became of the connection. */
function answerTo(path: string, bytes: Uint8Array, patienceMs = 5000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path })
    const timer = setTimeout(() => finish("silence"), patienceMs)
    const finish = (what: string): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(what)
    }
    socket.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EPIPE" || error.code === "ECONNRESET" ? finish("hung up") : reject(error),
    )
    socket.once("connect", () => socket.write(bytes))
    socket.once("data", (answer: Buffer) => {
      if (answer.length < answerHeadLayout.size) return finish(`${answer.length} bytes`)
      const { version, commandSequence, length, response, reason, flags } = answerHeadLayout.read(answer)
      const payload = answer.length === 64 ? answer.subarray(32).toString("hex") : `${answer.length - 32} bytes`
      finish(
        JSON.stringify({
          version,
          commandSequence,
          isWhole: length === answer.length,
          response,
          reason,
          flags,
          payload,
        }),
      )
    })
    socket.once("close", () => finish("hung up"))
  })
}

function framesOf(protocol: SyncProtocol, commands: Readonly<Record<string, number>>): Record<string, Buffer> {
  const encode = (command: number, fields: Partial<SyncRequest> = {}): Buffer => {
    const kind = protocol.openafsRequest ?? protocol.commands.get(command)?.openafs?.request
    return encodeRequest(kind, sampleRequest({ command, volume: 4711, ...fields }), 9)
  }
  const [first = 0] = Object.values(commands)
  const good = encode(first)
  const frames: Record<string, Buffer> = {
    "less than a head": good.subarray(0, 39),
    "another version": Buffer.concat([Buffer.of(2), good.subarray(1)]),
    nonsense: Buffer.alloc(64, 0x41),
    "one byte too many": Buffer.concat([good, Buffer.of(0x41)]),
    "one byte too few": shortened(good),
    "an unknown command": encode(70_000),
    "a command of 0": encode(0),
    "no flags": withWord(good, 36, 0),
    "a wrong length": withWord(good, 32, 12),
  }
  for (const [name, command] of Object.entries(commands)) {
    const bytes = encode(command)
    frames[`${name}, a head only`] = withWord(bytes.subarray(0, 40), 32, 40)
    frames[`${name}, a name without an end`] = withoutEnd(bytes, protocol === salvsyncProtocol ? 56 : bytes.length - 16)
  }
  return frames
}

function withWord(bytes: Uint8Array, offset: number, word: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt32LE(word, offset)
  return copy
}

/** Says itself how short it is, as nobody would. */
const shortened = (bytes: Buffer): Buffer => withWord(bytes.subarray(0, -1), 32, bytes.length - 1)
const withoutEnd = (bytes: Buffer, at: number): Buffer => Buffer.from(bytes).fill(0x41, at, at + 16)

/** Answered in one protocol only, or not at all by OpenAFS's servers without harm to them. */
const harmful = ["VOL_QUERY_VNODE", "VG_SCAN", "VG_SCAN_ALL", "VOL_GET", "VOL_PUT", "VOL_LIST", "SERVER_STATUS"]

const openafsOnly = (commands: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(commands).filter(([name]) => !harmful.includes(name)))

async function answersOf(path: string, frames: Readonly<Record<string, Buffer>>): Promise<Record<string, string>> {
  const answers: Record<string, string> = {}
  for (const [what, bytes] of Object.entries(frames)) answers[what] = await answerTo(path, bytes)
  return answers
}

function requireEqual(t: ExecutionContext, theirs: Record<string, unknown>, ours: Record<string, unknown>): void {
  const different = Object.keys(theirs).filter((what) => JSON.stringify(theirs[what]) !== JSON.stringify(ours[what]))
  const shown = different.map((what) => `${what}: ${JSON.stringify(theirs[what])} | ${JSON.stringify(ours[what])}`)
  t.deepEqual(shown, [], shown.join("\n"))
}

needsCell.serial("FSSYNC: what is malformed is answered by our fileserver as by dafileserver", async (t) => {
  t.timeout(180_000)
  const path = join(cell().stateDirectory, "fssync.sock")
  const frames = framesOf(fssyncProtocol, openafsOnly(fssyncCommands))
  const theirs = await answersOf(path, frames)
  const ours = await inPlaceOf(cell(), "fs", ["fileserver"], "fssync.sock", () => answersOf(path, frames))
  requireEqual(t, theirs, ours)
})

needsCell.serial("SALVSYNC: what is malformed is answered by our salvage server as by OpenAFS's", async (t) => {
  t.timeout(180_000)
  const path = join(cell().stateDirectory, "salvsync.sock")
  const frames = framesOf(salvsyncProtocol, salvsyncCommands)
  const theirs = await answersOf(path, frames)
  const ours = await inPlaceOf(cell(), "sal", ["salvageserver"], "salvsync.sock", () => answersOf(path, frames))
  requireEqual(t, theirs, ours)
})

/** Every request that our client has, in an order in which each has an effect. */
async function converse(path: string, rw: number): Promise<Record<string, unknown>> {
  await using client = new FssyncClient({ path, programType: "volumeServer", rule: impatientRule })
  const on = "/vicepa"
  const said: Record<string, unknown> = {}
  const keep = (what: string, { response, reason }: Done | { response: number; reason: number }): void => {
    said[`${Object.keys(said).length} ${what}`] = { response, reason }
  }
  keep("list", await client.list())
  keep("query", await client.queryVolume(rw, on))
  keep("header", await client.queryHeader(rw, on))
  for (const mode of ["READONLY", "CLONE", "VOLUPD", "DUMP"] as const) {
    keep(mode, await client.needVolume(rw, on, mode))
    const { response, payload } = await client.queryVolumeOperation(rw, on)
    said[`operation in ${mode}`] = {
      response,
      reason: payload?.request.reason,
      pid: payload?.request.pid,
      state: payload?.state,
    }
    keep("leave off", await client.leaveOff(rw, on))
    keep("on", await client.volumeOn(rw, on))
  }
  keep("off", await client.volumeOff(rw, on))
  const { payload } = await client.queryVolume(rw)
  said["volume"] = { ...payload, stats: undefined, transitions: undefined }
  keep("moved", await client.move(rw, on, 0x0a63_0001))
  keep("done", await client.done(rw, on))
  keep("attach", await client.attach(rw, on))
  keep("callbacks", await client.breakCallbacks(rw))
  keep("error", await client.forceError(rw, on))
  keep("refused", await client.needVolume(rw, on, "CLONE"))
  keep("on again", await client.volumeOn(rw, on, fssyncReasons.WHATEVER))
  for (let tries = 0; (await client.groupQuery(rw, on)).reason === fssyncReasons.PART_SCANNING && tries < 100; tries++)
    await new Promise((resolve) => setTimeout(resolve, 20))
  said["group"] = (await client.groupQuery(rw, on)).payload
  keep("group add", await client.groupAdd(rw, 4711, on))
  said["group of the new one"] = (await client.groupQuery(4711, on)).payload
  keep("group delete", await client.groupDelete(rw, 4711, on))
  keep("group delete again", await client.groupDelete(rw, 4711, on))
  keep("hash", await client.hashStats(5))
  keep("no such hash", await client.hashStats(5000))
  said["space"] = { ...(await client.partitionStats(on)).payload, free: undefined, f_files: undefined }
  said["states"] = (await client.generalStats()).payload?.state_levels.slice(1)
  return said
}

needsCell.serial("our client has the same conversation with dafileserver as with our fileserver", async (t) => {
  t.timeout(120_000)
  const rw = await cell().createVolume("one")
  await cell().stop("fs")
  await cell().start("fs")
  const path = join(cell().stateDirectory, "fssync.sock")
  const theirs = await converse(path, rw)
  const ours = await inPlaceOf(cell(), "fs", ["fileserver"], "fssync.sock", () => converse(path, rw))
  t.true(Object.keys(theirs).length > 30)
  requireEqual(t, theirs, ours)
})

needsCell.serial("our client asks OpenAFS's salvage server as it asks ours", async (t) => {
  const path = join(cell().stateDirectory, "salvsync.sock")
  const sender = { programType: 0, pid: process.pid, thread: 0 }
  const ask = async (): Promise<Record<string, unknown>> => {
    await using client = new SyncClient({ path, protocol: salvsyncProtocol, sender, rule: impatientRule })
    const said: Record<string, unknown> = {}
    for (const [name, command] of Object.entries(salvsyncCommands)) {
      if (name === "SALVAGE" || name === "RAISEPRIO") continue
      said[name] = await client.request({ command, volume: 4711, parent: 4712, partition: "/vicepa" })
    }
    return said
  }
  const theirs = await ask()
  requireEqual(t, theirs, await inPlaceOf(cell(), "sal", ["salvageserver"], "salvsync.sock", ask))
})
