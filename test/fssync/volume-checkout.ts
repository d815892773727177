import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { AfsError } from "../../common/error.ts"
import { lockVolume } from "../../common/lock/volume-lock.ts"
import type { ProgramType } from "../../common/protocol/codes.ts"
import { type Claimant, checkOutVolume, claimNewVolume, type OperationEvent } from "../../fssync/volume-checkout.ts"
import { anyLocker, holdForeign, needsLocker } from "../support/foreign-lock.ts"
import { denied, failed, ok, type Script, scriptedFileserver } from "../support/scripted-fileserver.ts"
import { clones, fixturePartition } from "../support/served-volumes.ts"
import { spawnSource } from "../support/spawned.ts"
import { sampleRequest } from "../support/sync-samples.ts"

type Context = Parameters<typeof fixturePartition>[0]

async function setUp(t: Context, script: Script = {}, program: ProgramType = "volumeServer") {
  const fileserver = await scriptedFileserver(t, script, program)
  const events: OperationEvent[] = []
  const claimant: Claimant = { program, fileserver: fileserver.client, report: (event) => events.push(event) }
  return { partition: fixturePartition(t), claimant, events, requests: fileserver.requests }
}

const { rw, bk } = clones

test("checkout: a read-write volume for cloning is locked for reading, read, and locked for writing before it is verified", async (t) => {
  const { partition, claimant, requests } = await setUp(t)
  const checkout = await checkOutVolume(claimant, partition, rw, "CLONE")
  t.is(checkout.lockType, "write")
  t.deepEqual(requests, [`QUERY_VOP ${rw}`, `NEEDVOLUME ${rw} mode 2`, `QUERY_VOP ${rw}`])
  await checkout.end("on")
  t.is(requests.at(-1), `ON ${rw}`)
  lockVolume(partition, rw, "write").release()
})

test("checkout: a backup volume for cloning keeps its read lock, so that two can have it", async (t) => {
  const { partition, claimant } = await setUp(t)
  const checkout = await checkOutVolume(claimant, partition, bk, "CLONE")
  t.is(checkout.lockType, "read")
  lockVolume(partition, bk, "read").release()
  t.throws(() => lockVolume(partition, bk, "write"), { instanceOf: AfsError })
  await checkout.end("on")
})

test("checkout: salvagers say OFF with reason SALVAGE and lock for writing whatever the volume is", async (t) => {
  const { partition, claimant, requests } = await setUp(t, {}, "salvageServer")
  const checkout = await checkOutVolume(claimant, partition, bk)
  t.is(checkout.lockType, "write")
  t.deepEqual(requests, [`OFF ${bk} SALVAGE`, `QUERY_VOP ${bk}`])
  await checkout.end("on")
})

test("checkout: the lock is gone before the fileserver is told, whatever it is told", async (t) => {
  for (const how of ["on", "leaveOff", "done", "salvage"] as const) {
    const free: boolean[] = []
    const note = () => {
      try {
        lockVolume(partition, rw, "write").release()
        free.push(true)
      } catch {
        free.push(false)
      }
      return ok
    }
    const script = { VOL_ON: note, VOL_LEAVE_OFF: note, VOL_DONE: note, VOL_FORCE_ERROR: note }
    const { partition, claimant } = await setUp(t, script)
    const checkout = await checkOutVolume(claimant, partition, rw, "VOLUPD")
    await checkout.end(how)
    await checkout.end(how)
    t.deepEqual(free, [true], how)
  }
})

test("checkout: a volume that does not exist is not asked for", async (t) => {
  const { partition, claimant, requests } = await setUp(t)
  await t.throwsAsync(checkOutVolume(claimant, partition, 999, "VOLUPD"), { code: "VNOVOL" })
  t.deepEqual(requests, [])
})

for (const [answer, code] of [
  [denied("SALVAGE"), "VSALVAGING"],
  [denied("EXCLUSIVE"), "VBUSY"],
  [denied("BAD_STATE"), "DENIED"],
] as const) {
  test(`checkout: a refusal is told as ${code}, and nothing is given back that was not had`, async (t) => {
    const { partition, claimant, requests } = await setUp(t, { VOL_NEEDVOLUME: () => answer })
    await t.throwsAsync(checkOutVolume(claimant, partition, rw, "VOLUPD"), { code })
    // who has it may be asked for; nothing else is
    t.is(requests.filter((request) => !request.startsWith("QUERY_VOP")).at(-1), `NEEDVOLUME ${rw} mode 3`)
    lockVolume(partition, rw, "write").release()
  })
}

needsLocker(
  "checkout: a volume that another program has locked is given back, and the error names the holder",
  async (t) => {
    const { partition, claimant, requests } = await setUp(t)
    await holdForeign(t, anyLocker(), join(partition.path, ".volume.lock"), { type: "write", first: rw, length: 1 })
    const error = await t.throwsAsync(checkOutVolume(claimant, partition, rw, "VOLUPD"), { instanceOf: AfsError })
    t.is(error.code, "LOCKED")
    t.regex(error.subject.holder ?? "", /^pid \d+/)
    t.is(requests.at(-1), `ON ${rw}`)
  },
)

// A fileserver that died between checkout and lock forgot the checkout, and may have given the volume to its clients.
test("checkout: forgotten by the fileserver, it is made again without the lock in between, and then goes through", async (t) => {
  const locked: boolean[] = []
  const { partition, claimant, requests, events } = await setUp(t, {
    VOL_NEEDVOLUME: (_request, nth) => {
      if (nth > 1) {
        lockVolume(partition, rw, "write").release()
        locked.push(false)
      }
      return ok
    },
    VOL_QUERY_VOP: (request, nth) =>
      nth < 4
        ? failed("NO_PENDING_VOL_OP")
        : { ...ok, payload: { request: { ...request, command: 65539, reason: 3 }, state: 4 } },
  })
  const checkout = await checkOutVolume(claimant, partition, rw, "VOLUPD")
  t.deepEqual(locked, [false, false])
  t.deepEqual(
    events.map((event) => event.type === "checkedOutAgain" && event.round),
    [2, 3],
  )
  t.is(requests.filter((request) => request.startsWith("NEEDVOLUME")).length, 3)
  await checkout.end("on")
})

for (const [program, mode, rounds] of [
  ["volumeServer", "VOLUPD", 11],
  ["salvageServer", undefined, 10],
] as const) {
  test(`checkout: a ${program} whose checkout is always forgotten gives up after ${rounds}, and gives the volume back`, async (t) => {
    const { partition, claimant, requests } = await setUp(
      t,
      { VOL_QUERY_VOP: () => failed("NO_PENDING_VOL_OP") },
      program,
    )
    await t.throwsAsync(checkOutVolume(claimant, partition, rw, mode), { code: "VNOVOL" })
    t.is(requests.filter((request) => /^(NEEDVOLUME|OFF)/.test(request)).length, rounds)
    t.is(requests.at(-1), `ON ${rw}`)
    lockVolume(partition, rw, "write").release()
  })
}

test("checkout: a fileserver that does not know the volume cannot have attached it: that counts as verified", async (t) => {
  for (const reason of ["UNKNOWN_VOLID", "WRONG_PART"] as const) {
    const { partition, claimant } = await setUp(t, { VOL_QUERY_VOP: () => failed(reason) })
    const checkout = await checkOutVolume(claimant, partition, rw, "VOLUPD")
    await checkout.end("on")
  }
  t.pass()
})

test("checkout: a volume whose information cannot be read makes the fileserver ask for a salvage", async (t) => {
  const { partition, claimant, requests } = await setUp(t)
  const file = join(partition.path, "AFSIDat/4/4+++U/special/zzzz5M++++0")
  writeFileSync(file, "short")
  await t.throwsAsync(checkOutVolume(claimant, partition, rw, "CLONE"), { code: "VSALVAGING" })
  t.is(requests.at(-1), `FORCE_ERROR ${rw} SALVAGE`)
  lockVolume(partition, rw, "write").release()
})

// OpenAFS has one volserver; here every command is one. The second command's checkout would replace that of the first, and
// its failure to lock would give the first one's volume back to clients.
test("checkout: a volume that a living process has checked out and locked is left alone", async (t) => {
  const { partition, claimant, requests } = await setUp(t, {
    VOL_QUERY_VOP: () => ({
      ...ok,
      payload: { request: sampleRequest({ programType: 6, pid: holder.pid }), state: 4 },
    }),
  })
  const holder = spawnSource(t, "test/fssync/volume-lock-holder.program.ts", [partition.path, String(rw)])
  await holder.line(/locked/)
  const error = await t.throwsAsync(checkOutVolume(claimant, partition, rw, "CLONE"), { instanceOf: AfsError })
  t.is(error.code, "VOLSERVOLBUSY")
  t.regex(error.subject.holder ?? "", new RegExp(`pid ${holder.pid}`))
  t.deepEqual(requests, [`QUERY_VOP ${rw}`])
})

test("checkout: a checkout that a dead process left behind is replaced", async (t) => {
  const { partition, claimant } = await setUp(t, {
    VOL_QUERY_VOP: (request, nth) => ({
      ...ok,
      payload: {
        request: nth === 1 ? { ...request, pid: 0x7fff_fff0 } : { ...request, command: 65539, reason: 3 },
        state: 4,
      },
    }),
  })
  const checkout = await checkOutVolume(claimant, partition, rw, "VOLUPD")
  t.is(checkout.lockType, "write")
  await checkout.end("on")
})

test("checkout: what one volserver has for another operation is refused before anybody is asked, and free afterwards", async (t) => {
  const { partition, claimant, requests } = await setUp(t)
  const held = new Set<number>()
  const reserve = async (_partition: unknown, volume: number): Promise<() => void> => {
    if (held.has(volume)) throw new AfsError("VOLSERVOLBUSY", "reserve", { volume })
    held.add(volume)
    return () => void held.delete(volume)
  }
  const careful = { ...claimant, reserve }
  const checkout = await checkOutVolume(careful, partition, rw, "VOLUPD")
  const before = requests.length
  await t.throwsAsync(claimNewVolume(careful, partition, rw), { code: "VOLSERVOLBUSY" })
  t.is(requests.length, before)
  await checkout.end("on")
  t.is(held.size, 0)
})

test("checkout: an id that is to become a volume is locked, and nobody is asked", async (t) => {
  const { partition, claimant, requests } = await setUp(t)
  const checkout = await claimNewVolume(claimant, partition, 4_294_967_295)
  t.is(checkout.lockType, "write")
  await t.throwsAsync(claimNewVolume(claimant, partition, 4_294_967_295), { code: "LOCKED" })
  await checkout.end("nothing")
  t.deepEqual(requests, [])
})

test("checkout: a fileserver that is gone at the end is reported, and the work counts as done", async (t) => {
  const { partition, claimant, events } = await setUp(t)
  const checkout = await checkOutVolume(claimant, partition, rw, "VOLUPD")
  await claimant.fileserver?.close()
  await checkout.end("on")
  t.deepEqual(
    events.map(({ type }) => type),
    ["notCheckedIn"],
  )
  lockVolume(partition, rw, "write").release()
})

test("checkout: without a fileserver the lock is all there is", async (t) => {
  const partition = fixturePartition(t)
  mkdirSync(join(partition.path, ".dafs"), { recursive: true })
  const checkout = await checkOutVolume({ program: "volumeServer", fileserver: undefined }, partition, rw, "VOLUPD")
  t.is(checkout.lockType, "write")
  await checkout.end("on")
  lockVolume(partition, rw, "write").release()
})
