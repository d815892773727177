import test from "ava"
import { AfsError } from "../../common/error.ts"
import { lockVolume } from "../../common/lock/volume-lock.ts"
import { dontSalvageMark, type VolumeInfo } from "../../common/volume/volume-info.ts"
import type { Claimant, OperationEvent } from "../../fssync/volume-checkout.ts"
import { attachVolume, type SalvagePatience, withVolume } from "../../fssync/volume-operation.ts"
import { cutDisk } from "../support/cut-disk.ts"
import { denied, ok, type Script, scriptedFileserver } from "../support/scripted-fileserver.ts"
import { clones, fixturePartition, infoOnDisk, patchInfo } from "../support/served-volumes.ts"
import { partitionOn } from "../support/volume-builder.ts"

type Context = Parameters<typeof fixturePartition>[0]
const { rw, bk } = clones

async function setUp(t: Context, script: Script = {}) {
  const fileserver = await scriptedFileserver(t, script)
  const events: OperationEvent[] = []
  const claimant: Claimant = {
    program: "volumeServer",
    fileserver: fileserver.client,
    report: (event) => events.push(event),
  }
  return { partition: fixturePartition(t), claimant, events, requests: fileserver.requests }
}

const set =
  (fields: Partial<VolumeInfo>) =>
  (info: VolumeInfo): void => {
    Object.assign(info, fields)
  }

const offline: Claimant = { program: "volumeServer", fileserver: undefined }
const noPatience: SalvagePatience = { waitMs: 1, attemptsMax: 3 }

for (const [mode, volume, during] of [
  ["VOLUPD", rw, 6],
  ["VOLUPD", bk, 6],
  ["CLONE", rw, 6],
  ["CLONE", bk, 0],
  ["DUMP", rw, 0],
  ["READONLY", rw, 0],
] as const) {
  test(`operation: attached for ${mode}, volume ${volume} says on disk that it is in use by ${during}, and by nobody after`, async (t) => {
    const { partition, claimant, requests } = await setUp(t)
    const before = infoOnDisk(partition, volume)
    await withVolume(claimant, partition, volume, mode, () => {
      t.is(infoOnDisk(partition, volume).inUse, during)
    })
    t.deepEqual(infoOnDisk(partition, volume), { ...before, inUse: 0 })
    t.is(requests.at(-1), `ON ${volume}`)
  })
}

for (const [fields, wanted] of [
  [{ inService: 0 }, "LEAVE_OFF"],
  [{ blessed: 0 }, "LEAVE_OFF"],
  [{ destroyMe: 0xd3 }, "LEAVE_OFF"],
  [{ maxquota: 5 }, "ON"],
] as const) {
  test(`operation: a volume that is left with ${JSON.stringify(fields)} is given back with ${wanted}`, async (t) => {
    const { partition, claimant, requests } = await setUp(t)
    await withVolume(claimant, partition, rw, "VOLUPD", (operation) => {
      set(fields)(operation.volume.info)
      operation.writeInfo()
    })
    t.is(requests.at(-1), `${wanted} ${rw}`)
  })
}

test("operation: a deleted volume is given back with DONE", async (t) => {
  const { partition, claimant, requests } = await setUp(t)
  await withVolume(claimant, partition, rw, "VOLUPD", (operation) => {
    operation.volume.close()
    operation.markDeleted()
  })
  t.is(requests.at(-1), `DONE ${rw}`)
})

test("operation: work that fails without harm gives the volume back as it was, and its error is the one to see", async (t) => {
  const { partition, claimant, requests } = await setUp(t)
  const before = infoOnDisk(partition, rw)
  const work = (): never => {
    throw new AfsError("EINVAL", "work")
  }
  await t.throwsAsync(withVolume(claimant, partition, rw, "VOLUPD", work), { code: "EINVAL" })
  t.deepEqual(infoOnDisk(partition, rw), before)
  t.is(requests.at(-1), `ON ${rw}`)
  lockVolume(partition, rw, "write").release()
})

test("operation: a change that breaks off half-way marks the volume, and the fileserver is asked for a salvage", async (t) => {
  const { partition, claimant, requests } = await setUp(t)
  const broken = partitionOn(cutDisk({ at: 3, how: "EIO" }), partition) // after inUse and one of two writes
  await t.throwsAsync(
    withVolume(claimant, broken, rw, "VOLUPD", (operation) => {
      using transaction = operation.volume.transaction()
      operation.volume.info.maxquota = 1
      operation.volume.addInfo(transaction)
      operation.volume.info.maxquota = 2
      operation.volume.addInfo(transaction)
      operation.apply(transaction)
    }),
    { code: "EIO" },
  )
  const info = infoOnDisk(partition, rw)
  t.is(info.needsSalvaged, 1)
  t.is(info.inUse, 6)
  t.is(requests.at(-1), `FORCE_ERROR ${rw} SALVAGE`)
  lockVolume(partition, rw, "write").release()
})

for (const [title, change] of [
  ["marked for a salvage", set({ needsSalvaged: 1 })],
  ["in use by a crashed program", set({ inUse: 1 })],
] as const) {
  test(`operation: a volume that is ${title} is salvaged first: asked for, waited for, attached`, async (t) => {
    const { partition, claimant, events, requests } = await setUp(t, {
      VOL_FORCE_ERROR: () => {
        patchInfo(partition, rw, (info) =>
          Object.assign(info, { needsSalvaged: 0, inUse: 0, dontSalvage: dontSalvageMark }),
        )
        return ok
      },
    })
    patchInfo(partition, rw, change)
    await withVolume(claimant, partition, rw, "CLONE", () => undefined, noPatience)
    t.true(requests.includes(`FORCE_ERROR ${rw} SALVAGE`))
    t.deepEqual(
      events.map((event) => event.type === "salvaging" && event.attempt),
      [1],
    )
    t.is(requests.at(-1), `ON ${rw}`)
  })
}

test("operation: a volume in use by a crashed program gets the mark on disk, as OpenAFS's volserver writes it", async (t) => {
  const { partition, claimant } = await setUp(t)
  patchInfo(partition, rw, set({ inUse: 6 }))
  await t.throwsAsync(attachVolume(claimant, partition, rw, "CLONE", noPatience), { code: "VSALVAGE" })
  t.is(infoOnDisk(partition, rw).needsSalvaged, 1)
})

test("operation: a read-only volume in use by a crashed program is attached all the same", async (t) => {
  const { partition, claimant } = await setUp(t)
  patchInfo(partition, bk, set({ inUse: 1 }))
  await withVolume(claimant, partition, bk, "CLONE", () => undefined, noPatience)
  t.pass()
})

test("operation: a salvage that never ends is waited for as often as was said, and no more", async (t) => {
  const { partition, claimant, events, requests } = await setUp(t, { VOL_NEEDVOLUME: () => denied("SALVAGE") })
  await t.throwsAsync(attachVolume(claimant, partition, rw, "CLONE", noPatience), { code: "VSALVAGE" })
  t.is(events.length, 3)
  t.is(requests.filter((request) => request.startsWith("NEEDVOLUME")).length, 4)
})

test("operation: waiting for a salvage ends with the signal", async (t) => {
  const controller = new AbortController()
  const { partition, claimant } = await setUp(t, {
    VOL_NEEDVOLUME: () => {
      setTimeout(() => controller.abort(), 5)
      return denied("SALVAGE")
    },
  })
  const patience = { waitMs: 600_000, attemptsMax: 32, signal: controller.signal }
  await t.throwsAsync(attachVolume(claimant, partition, rw, "CLONE", patience), { code: "INTERRUPTED" })
})

test("operation: without a fileserver damage is an error at once, which names the salvager", async (t) => {
  const partition = fixturePartition(t)
  patchInfo(partition, rw, set({ needsSalvaged: 1 }))
  const error = await t.throwsAsync(attachVolume(offline, partition, rw, "VOLUPD"), { instanceOf: AfsError })
  t.is(error.code, "VSALVAGE")
  t.regex(error.message, /dafs salvager/)
})

// Without its fileserver a tool cannot know whether a volume in use belongs to a living one: it must not mark it.
test("operation: without a fileserver a volume in use by one is left exactly as it is", async (t) => {
  const partition = fixturePartition(t)
  patchInfo(partition, rw, set({ inUse: 1 }))
  const before = infoOnDisk(partition, rw)
  const error = await t.throwsAsync(attachVolume(offline, partition, rw, "CLONE"), { instanceOf: AfsError })
  t.regex(error.message, /in use by a fileserver/)
  t.deepEqual(infoOnDisk(partition, rw), before)
})

test("operation: callbacks that a salvage left to be broken are broken at the next attach", async (t) => {
  const { partition, claimant, requests } = await setUp(t)
  patchInfo(partition, rw, set({ needsCallback: 1 }))
  await withVolume(claimant, partition, rw, "VOLUPD", () => undefined)
  t.true(requests.includes(`BREAKCBKS ${rw}`))
  t.is(infoOnDisk(partition, rw).needsCallback, 0)
})

test("operation: looking without checking out asks nobody, locks nothing and writes nothing", async (t) => {
  const { partition, claimant, requests } = await setUp(t)
  patchInfo(partition, rw, set({ needsSalvaged: 1 }))
  using _lock = lockVolume(partition, rw, "write")
  const before = infoOnDisk(partition, rw)
  const seen = await withVolume(claimant, partition, rw, "PEEK", ({ volume }) => volume.info.name)
  t.is(seen, "v.cl")
  t.deepEqual(infoOnDisk(partition, rw), before)
  t.deepEqual(requests, [])
})
