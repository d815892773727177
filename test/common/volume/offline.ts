import test from "ava"
import { type OfflineOptions, offlineMessages, takeOffline } from "../../../common/volume/offline.ts"
import { clones, infoOnDisk, type Served, serve } from "../../support/served-volumes.ts"

const options: OfflineOptions = { reason: "operation", timeoutMs: undefined, code: "VOFFLINE" }

async function attached(served: Served, volume: number) {
  await served.access(volume)
  const found = served.volumes.find(volume)
  if (found === undefined) throw new Error("not there")
  return found
}

test("offline: the messages are OpenAFS's", (t) => {
  t.deepEqual(offlineMessages, {
    operation: "A volume utility is running.",
    softDetach: "volume has been soft detached",
    shutdown: "File server was shut down",
  })
})

test("offline: a volume that nobody uses is offline when the call returns", async (t) => {
  const served = serve(t)
  const volume = await attached(served, clones.rw)
  for (const reason of ["operation", "softDetach", "shutdown"] as const) {
    t.is(takeOffline(served.volumes.context, volume, { ...options, reason }), "offline")
    t.is(volume.state, "UNATTACHED")
    t.is(volume.attachment, undefined)
    t.is(volume.generation, "none")
    t.is(infoOnDisk(served.partition, clones.rw).offlineMessage, offlineMessages[reason])
    volume.cell.change("PREATTACHED", 0)
    await served.access(clones.rw)
  }
})

test("offline: one that is used is offline when the last user has gone, and writes what the users changed", async (t) => {
  const served = serve(t)
  const volume = await attached(served, clones.rw)
  const uses = [await served.volumes.acquire(clones.rw), await served.volumes.acquire(clones.rw)]
  const result = takeOffline(served.volumes.context, volume, options)
  uses[0]?.release()
  await Promise.resolve()
  t.is(volume.state, "GOING_OFFLINE")
  volume.attachment?.edit((info) => {
    info.dayUse = 99
  })
  uses[1]?.release()
  t.is(await result, "offline")
  t.is(infoOnDisk(served.partition, clones.rw).dayUse, 99)
})

test("offline: whatever else happens to the volume meanwhile withdraws it", async (t) => {
  const served = serve(t)
  for (const next of ["ATTACHED", "ERROR", "SALVAGE_REQ"] as const) {
    const volume = await attached(served, next === "ATTACHED" ? clones.rw : next === "ERROR" ? clones.ro : clones.bk)
    const use = await served.volumes.acquire(volume.id)
    const result = takeOffline(served.volumes.context, volume, { ...options, timeoutMs: 1_000 })
    volume.cell.change(next, 0)
    t.is(await result, "withdrawn")
    served.clock.advance(10_000)
    t.is(use.abortCode, undefined, "the timer went with the wait")
    use.release()
    t.is(volume.state, next)
  }
})

test("offline: interrupting users passes through the state that says so", async (t) => {
  const served = serve(t)
  const volume = await attached(served, clones.rw)
  const use = await served.volumes.acquire(clones.rw)
  const result = takeOffline(served.volumes.context, volume, { ...options, timeoutMs: 1_000 })
  served.clock.advance(1_000)
  t.deepEqual(
    volume.cell.history.slice(-3).map(({ state }) => state),
    ["GOING_OFFLINE", "SCANNING_RXCALLS", "GOING_OFFLINE"],
  )
  use.release()
  t.is(await result, "offline")
})
