import test from "ava"
import { VolumeUse } from "../../../common/volume/server-volume.ts"
import { clones, serve } from "../../support/served-volumes.ts"

test("server volume: a partition's name matches itself and the empty name", (t) => {
  const volume = serve(t).volumes.find(clones.rw)
  t.deepEqual(
    ["/vicepa", "", "/vicepb", "vicepa"].map((name) => volume?.isOn(name)),
    [true, true, false, false],
  )
})

test("server volume: it is idle only while attached, unused, not waited for and not checked out", async (t) => {
  const served = serve(t)
  const volume = served.volumes.find(clones.bk)
  t.false(volume?.isIdle, "not attached")
  const use = await served.volumes.acquire(clones.bk)
  t.false(volume?.isIdle, "in use")
  use.release()
  t.true(volume?.isIdle)
  void volume?.cell.changed()
  t.false(volume?.isIdle, "waited for")
  volume?.cell.wake()
  t.true(volume?.isIdle)
  void served.asker("volumeServer").ask("VOL_NEEDVOLUME", { volume: clones.bk, reason: 2 })
  t.false(volume?.isIdle, "checked out, though online")
})

test("server volume: uses are counted, the last one out wakes who waits, and all can be asked to end", async (t) => {
  const served = serve(t)
  const first = await served.volumes.acquire(clones.rw)
  const second = await served.volumes.acquire(clones.rw)
  const volume = first.volume
  t.is(volume.users, 2)
  const asked: string[] = []
  first.onAbort = () => asked.push("callback")
  second.signal.addEventListener("abort", () => asked.push("signal"))
  volume.abortUses("VBUSY")
  t.deepEqual(asked.sort(), ["callback", "signal"])
  let woken = false
  const waiting = volume.cell.changed().then(() => {
    woken = true
  })
  first.release()
  await Promise.resolve()
  t.false(woken)
  {
    using _last = second
    t.true(second.signal.aborted)
  }
  await waiting
  t.is(volume.users, 0)
})

test("server volume: a signal that is asked for after the abort is aborted; an ended use is not asked to end", async (t) => {
  const served = serve(t)
  const use = await served.volumes.acquire(clones.rw)
  use.abort("VOFFLINE")
  t.is(use.signal.reason, "VOFFLINE")
  use.release()
  const { attachment } = use.volume
  if (attachment === undefined) return t.fail()
  const other = new VolumeUse(use.volume, attachment)
  other.release()
  other.abort("VBUSY")
  t.is(other.abortCode, undefined)
})
