/** The fileserver as a process: crashes, restarts, other programs that hold volumes, and its end. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import test from "ava"
import { lockVolume } from "../../common/lock/volume-lock.ts"
import type { Partition } from "../../common/partition/partition.ts"
import { salvsyncProtocol } from "../../fssync/command-table.ts"
import { FssyncClient } from "../../fssync/fssync-client.ts"
import { fssyncReasons, responses, type SyncRequest, salvsyncCommands, salvsyncReasons } from "../../fssync/message.ts"
import { listenSync } from "../../fssync/server.ts"
import { checkOutVolume, type OperationEvent } from "../../fssync/volume-checkout.ts"
import { type FileserverProcess, holdVolume, startFileserver } from "../support/fileserver-process.ts"
import { anyLocker, holdForeign, needsLocker } from "../support/foreign-lock.ts"
import { clones, fixturePartition, infoOnDisk, patchInfo } from "../support/served-volumes.ts"
import { runDafs } from "../support/spawned.ts"

type Context = Parameters<typeof startFileserver>[0]
const { EXCLUSIVE, SALVAGE, NO_PENDING_VOL_OP } = fssyncReasons
const noProcess = 0x7fff_fff0

async function started(t: Context, ...options: string[]): Promise<FileserverProcess & { partition: Partition }> {
  const partition = fixturePartition(t)
  return Object.assign(await startFileserver(t, [partition], ...options), { partition })
}

/** Asks again until the answer is the wanted one; an event that nobody reports. */
async function until<T>(wanted: T, ask: () => Promise<T>, timeoutMs = 10_000): Promise<T> {
  const end = Date.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer === wanted || Date.now() > end) return answer
    await delay(20)
  }
}

for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
  test(`${signal} ends the fileserver cleanly: volumes are out of use, socket and pid file gone, the next start serves`, async (t) => {
    const server = await started(t)
    t.is(readFileSync(join(server.stateDirectory, "fileserver.pid"), "utf8"), `${server.process.pid}\n`)
    for (const volume of Object.values(clones)) t.is(await server.access(volume), "ok")
    t.is(infoOnDisk(server.partition, clones.rw).inUse, 1)
    const end = await server.stop(signal)
    t.deepEqual([end.status, end.signal], [0, null])
    for (const volume of Object.values(clones)) t.is(infoOnDisk(server.partition, volume).inUse, 0)
    t.false(existsSync(server.socket))
    t.false(existsSync(join(server.stateDirectory, "fileserver.pid")))
    await server.start()
    for (const volume of Object.values(clones)) t.is(await server.access(volume), "ok", "without a salvage")
  })
}

test("a fileserver that was killed left read-write volumes in use: they wait for their salvage, the others are served", async (t) => {
  const server = await started(t)
  for (const volume of Object.values(clones)) await server.access(volume)
  await server.kill()
  t.is(infoOnDisk(server.partition, clones.rw).inUse, 1)
  await server.start()
  t.is(await server.access(clones.rw), "VBUSY")
  t.is(await until("SALVAGING", () => server.state(clones.rw)), "SALVAGING")
  t.is(infoOnDisk(server.partition, clones.rw).needsSalvaged, 1)
  for (const volume of [clones.ro, clones.bk, clones.otherBk]) t.is(await server.access(volume), "ok")
})

test("a checkout that the fileserver forgot, because it was killed before the lock, is denied and made again", async (t) => {
  const server = await started(t)
  class Interrupted extends FssyncClient {
    #killed = false
    override async needVolume(...how: Parameters<FssyncClient["needVolume"]>): ReturnType<FssyncClient["needVolume"]> {
      const answer = await super.needVolume(...how)
      if (this.#killed) return answer
      this.#killed = true
      await server.kill()
      await server.start()
      return answer
    }
  }
  const fileserver = new Interrupted({ path: server.socket, programType: "volumeServer" })
  t.teardown(() => fileserver.close())
  const events: OperationEvent[] = []
  const report = (event: OperationEvent): void => void events.push(event)
  const checkout = await checkOutVolume(
    { program: "volumeServer", fileserver, report },
    server.partition,
    clones.rw,
    "CLONE",
  )
  t.deepEqual(events, [{ type: "checkedOutAgain", volume: clones.rw, round: 2 }])
  t.is(checkout.lockType, "write")
  t.is(await server.access(clones.rw), "VBUSY")
  await checkout.end("on")
  t.is(await server.access(clones.rw), "ok")
})

test("a dump goes on while the fileserver is killed and started again; nobody touches the volume, no salvage follows", async (t) => {
  const server = await started(t)
  await server.access(clones.rw)
  const volserver = await holdVolume(t, server, clones.rw, {
    programType: "volumeServer",
    how: "CLONE",
    lock: "write",
    inUse: 6,
  })
  await server.kill()
  await server.start()
  t.is(await server.state(clones.rw), "PREATTACHED")
  volserver.signal("SIGTERM")
  await volserver.line(/given back: 0/)
  t.is(await server.access(clones.rw), "ok")
})

test("clients of a volume that is still being dumped after a restart are told busy, and served once it is given back", async (t) => {
  const server = await started(t)
  const volserver = await holdVolume(t, server, clones.rw, {
    programType: "volumeServer",
    how: "CLONE",
    lock: "write",
    inUse: 6,
  })
  await server.kill()
  await server.start()
  t.is(await server.access(clones.rw), "VBUSY", "OpenAFS 1.8.9: 103, and state ERROR")
  t.is(await server.state(clones.rw), "PREATTACHED")
  t.is(infoOnDisk(server.partition, clones.rw).inUse, 6, "the dump is not disturbed")
  volserver.signal("SIGTERM")
  await volserver.line(/given back: 0/)
  t.is(await server.access(clones.rw), "ok")
})

for (const attached of [true, false]) {
  test(`a volserver killed while it has a volume that was ${attached ? "attached" : "only pre-attached"}: the checkout goes, the volume is salvaged`, async (t) => {
    const server = await started(t)
    if (attached) await server.access(clones.rw)
    const volserver = await holdVolume(t, server, clones.rw, {
      programType: "volumeServer",
      how: "CLONE",
      lock: "write",
      inUse: 6,
    })
    t.is(await server.access(clones.rw), "VBUSY")
    await volserver.stop("SIGKILL")
    t.is(await until("PREATTACHED", () => server.state(clones.rw)), "PREATTACHED")
    t.is((await server.client().queryVolumeOperation(clones.rw)).reason, NO_PENDING_VOL_OP)
    t.is(await server.access(clones.rw), "VBUSY")
    t.is(await until("SALVAGING", () => server.state(clones.rw)), "SALVAGING")
  })
}

test("a salvager of one volume that ends without giving it back leaves it in service", async (t) => {
  const server = await started(t)
  await server.access(clones.rw)
  const salvager = await holdVolume(t, server, clones.rw, {
    programType: "volumeSalvager",
    how: "SALVAGE",
    lock: "write",
  })
  t.is(await server.access(clones.rw), "VBUSY")
  await salvager.stop("SIGKILL")
  t.is(await until("ok", () => server.access(clones.rw)), "ok")
})

test("a volserver that lost its connection but still works under its lock keeps the volume", async (t) => {
  const server = await started(t)
  await server.access(clones.rw)
  using lock = lockVolume(server.partition, clones.rw, "write")
  const volserver = new FssyncClient({ path: server.socket, programType: "volumeServer" })
  t.is((await volserver.needVolume(clones.rw, "/vicepa", "CLONE")).response, responses.OK)
  await volserver.close()
  await delay(700)
  t.is(await server.access(clones.rw), "VBUSY")
  t.is((await server.client().queryVolumeOperation(clones.rw)).response, responses.OK)
  lock.release()
  t.is(await until("ok", () => server.access(clones.rw)), "ok")
})

test("a salvage of a volume that a volserver dumps is refused, and its failure does not hurt dump or clients", async (t) => {
  const server = await started(t)
  await server.access(clones.rw)
  const volserver = await holdVolume(t, server, clones.rw, {
    programType: "volumeServer",
    how: "CLONE",
    lock: "write",
    inUse: 6,
  })
  const salvageserver = server.client("salvageServer")
  const refused = await salvageserver.volumeOff(clones.rw, "/vicepa", SALVAGE)
  t.deepEqual([refused.response, refused.reason], [responses.DENIED, EXCLUSIVE])
  const verdict = await salvageserver.forceError(clones.rw, "/vicepa")
  t.deepEqual([verdict.response, verdict.reason], [responses.DENIED, EXCLUSIVE])
  t.is(await server.access(clones.rw), "VBUSY")
  volserver.signal("SIGTERM")
  await volserver.line(/given back: 0/)
  t.is(await server.access(clones.rw), "ok")
})

needsLocker("a stopped program that holds a volume's lock makes nobody wait", async (t) => {
  const server = await started(t)
  const lock = { type: "write", first: clones.rw } as const
  const holder = await holdForeign(t, anyLocker(), join(server.partition.path, ".volume.lock"), lock)
  holder.signal("SIGSTOP")
  t.is(await server.access(clones.rw), "VBUSY")
  t.is(await server.access(clones.bk), "ok")
  const volserver = server.client("volumeServer")
  t.is(
    (await volserver.needVolume(clones.rw, "/vicepa", "CLONE")).response,
    responses.OK,
    "a checkout asks for no lock",
  )
  t.is((await volserver.volumeOn(clones.rw, "/vicepa")).response, responses.OK)
  await holder.stop("SIGKILL")
  await volserver.volumeOn(clones.rw, "/vicepa")
  t.is(await server.access(clones.rw), "ok")
})

needsLocker("a volume whose lock was held comes back by itself a little later", async (t) => {
  const server = await started(t, "--lock-holdoff", "0.2")
  const lock = { type: "write", first: clones.rw } as const
  const holder = await holdForeign(t, anyLocker(), join(server.partition.path, ".volume.lock"), lock)
  t.is(await server.access(clones.rw), "VBUSY")
  await holder.stop("SIGKILL")
  t.is(await until("ok", () => server.access(clones.rw)), "ok")
})

/** OpenAFS 1.8.9 serves four clients at a time; a fifth is not answered. */
test("a hundred clients are connected at once, and each is answered", async (t) => {
  const server = await started(t)
  const clients = Array.from({ length: 100 }, () => server.client())
  const answers = await Promise.all(clients.map((client) => client.queryVolume(clones.rw)))
  t.true(answers.every(({ response }) => response === responses.OK))
  const again = await Promise.all(clients.map((client) => client.list()))
  t.true(again.every(({ response }) => response === responses.OK))
})

/** OpenAFS 1.8.9 answers nobody while one checkout waits for a volume's users. */
test("while a checkout waits for a volume's users everybody else is answered at once, on the same connection too", async (t) => {
  const server = await started(t)
  const reader = server.client()
  t.is((await reader.get(clones.rw)).response, responses.OK)
  const volserver = server.client("volumeServer")
  let granted = false
  const waiting = volserver.needVolume(clones.rw, "/vicepa", "CLONE").then((answer) => {
    granted = true
    return answer
  })
  t.is((await volserver.queryVolume(clones.bk)).response, responses.OK)
  t.is(await server.access(clones.bk), "ok")
  t.is(await server.access(clones.rw), "VBUSY")
  t.is(await server.state(clones.rw), "GOING_OFFLINE")
  t.false(granted)
  await reader.put(clones.rw)
  t.is((await waiting).response, responses.OK)
})

test("users of a volume that has to go offline are interrupted after --offline-timeout", async (t) => {
  const server = await started(t, "--offline-timeout", "0.1")
  const reader = server.client()
  await reader.get(clones.rw)
  const answer = await server.client("volumeServer").needVolume(clones.rw, "/vicepa", "VOLUPD")
  t.is(answer.response, responses.OK)
  t.is((await reader.put(clones.rw)).reason, 106)
})

test("the end of the server interrupts users after --offline-shutdown-timeout and detaches their volumes, too", async (t) => {
  const server = await started(t, "--offline-shutdown-timeout", "0.1")
  const reader = server.client()
  await reader.get(clones.rw)
  t.is((await server.stop()).status, 0)
  t.is(infoOnDisk(server.partition, clones.rw).inUse, 0)
})

test("128 volumes on one connection, the limit of OpenAFS's clients, come back when the connection ends", async (t) => {
  const server = await started(t, "--checkouts-per-connection", "2")
  const volserver = server.client("volumeServer")
  for (const volume of [clones.rw, clones.ro]) {
    await server.access(volume)
    t.is((await volserver.needVolume(volume, "/vicepa", "VOLUPD")).response, responses.OK)
  }
  const third = await volserver.needVolume(clones.bk, "/vicepa", "VOLUPD")
  t.deepEqual([third.response, third.reason], [responses.DENIED, 0])
  await volserver.close()
  for (const volume of [clones.rw, clones.ro]) t.is(await until("ok", () => server.access(volume)), "ok")
})

test("two connections of one program type check out one volume: the first is told so when it verifies", async (t) => {
  const server = await started(t)
  const first = new FssyncClient({ path: server.socket, programType: "volumeServer", pid: noProcess })
  const second = server.client("volumeServer")
  t.teardown(() => first.close())
  t.is((await first.needVolume(clones.rw, "/vicepa", "CLONE")).response, responses.OK)
  t.is((await second.needVolume(clones.rw, "/vicepa", "CLONE")).response, responses.OK)
  const seen = await first.queryVolumeOperation(clones.rw, "/vicepa")
  t.is(seen.payload?.request.pid, process.pid)
})

test("without a salvage server damaged volumes wait; one that appears is told at the next access", async (t) => {
  const server = await started(t)
  patchInfo(server.partition, clones.rw, (info) => {
    info.needsSalvaged = 1
  })
  t.is(await server.access(clones.rw), "VBUSY")
  t.is(await until("SALVAGING", () => server.state(clones.rw)), "SALVAGING")
  const asked: SyncRequest[] = []
  const status = { known: true, state: 1, prio: 0, sq_len: 1, pq_len: 0 }
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
  await using _salvageserver = await listenSync({
    path: join(server.stateDirectory, "salvsync.sock"),
    protocol: salvsyncProtocol,
    handle: (request) => {
      asked.push(request)
      return { response: responses.OK, reason: 0, payload: status }
    },
    log: quiet,
  })
  t.is(await server.access(clones.rw), "VBUSY")
  t.is(await until(1, async () => asked.length), 1)
  const [job] = asked
  t.deepEqual(
    [job?.command, job?.reason, job?.volume, job?.parent, job?.partition, job?.vnode],
    [salvsyncCommands.SALVAGE, salvsyncReasons.NEEDED, clones.rw, clones.rw, "/vicepa", 1],
  )
  const worker = server.client("salvageServer")
  t.is((await worker.volumeOff(clones.rw, "/vicepa", SALVAGE)).response, responses.OK)
  patchInfo(server.partition, clones.rw, (info) => {
    info.needsSalvaged = 0
  })
  t.is((await worker.volumeOn(clones.rw, "/vicepa")).response, responses.OK)
  t.is(await server.access(clones.rw), "ok")
})

test("a salvage server that takes requests and never answers holds nobody up", async (t) => {
  const server = await started(t)
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
  await using _silent = await listenSync({
    path: join(server.stateDirectory, "salvsync.sock"),
    protocol: salvsyncProtocol,
    handle: () => new Promise(() => undefined),
    log: quiet,
  })
  patchInfo(server.partition, clones.rw, (info) => {
    info.needsSalvaged = 1
  })
  t.is(await server.access(clones.rw), "VBUSY")
  t.is(await server.access(clones.rw), "VBUSY")
  t.is(await server.access(clones.bk), "ok")
})

test("a second fileserver for the same state directory is refused and leaves the first alone", async (t) => {
  const server = await started(t)
  await server.access(clones.rw)
  const second = await runDafs([
    "fileserver",
    "--partition",
    server.partition.path,
    "--state-dir",
    server.stateDirectory,
  ])
  t.is(second.status, 11)
  t.regex(second.stderr, new RegExp(`another fileserver is running.*pid ${server.process.pid}`))
  t.is(await server.access(clones.rw), "ok")
  t.is(infoOnDisk(server.partition, clones.rw).inUse, 1)
  t.true(existsSync(join(server.stateDirectory, "fileserver.pid")))
})

test("a partition marked for a salvage as a whole is not served, and the message says what to do", async (t) => {
  const partition = fixturePartition(t)
  const state = join(partition.path, "..", "state")
  writeFileSync(join(partition.path, "FORCESALVAGE"), "")
  const end = await runDafs(["fileserver", "--partition", partition.path, "--state-dir", state])
  t.true([4, 10].includes(end.status ?? 0))
  t.regex(end.stderr, /FORCESALVAGE/)
  t.regex(end.stderr, /dafs salvager --partition/)
})

test("callback promises that an OpenAFS fileserver saved are removed: they are out of date now", async (t) => {
  const partition = fixturePartition(t)
  const server = await startFileserver(t, [partition])
  await server.stop()
  const saved = join(server.stateDirectory, "fsstate.dat")
  writeFileSync(saved, "old promises")
  await server.start()
  t.false(existsSync(saved))
})

test("wrong options are usage errors that name the option", async (t) => {
  const partition = fixturePartition(t)
  const words = ["fileserver", "--partition", partition.path, "--state-dir", join(partition.path, "..", "state")]
  for (const [option, value] of [
    ["--vlruthresh", "0"],
    ["--vlrumax", "0"],
    ["--lock-holdoff", "-1"],
  ] as const) {
    const end = await runDafs([...words, option, value])
    t.is(end.status, 2)
    t.regex(end.stderr, new RegExp(option))
  }
  const nowhere = await runDafs(["fileserver", "--partition", join(partition.path, "none"), "--state-dir", "x"])
  t.is(nowhere.status, 10)
})
