import test from "ava"
import { AfsError } from "../../common/error.ts"
import { ChannelUses } from "../../fileserver/channel-uses.ts"
import { clones, serve } from "../support/served-volumes.ts"

function channelOf(): { closed: AbortSignal; end: () => void } {
  const controller = new AbortController()
  return { closed: controller.signal, end: () => controller.abort() }
}

test("uses of a connection: counted per volume, ended one by one or all at once", async (t) => {
  const { volumes } = serve(t)
  const uses = new ChannelUses(volumes)
  const channel = channelOf()
  for (const volume of [clones.rw, clones.rw, clones.bk]) await uses.begin(channel, volume)
  t.is(volumes.find(clones.rw)?.users, 2)
  t.is(uses.end(channel, clones.rw), "ended")
  t.is(uses.end(channelOf(), clones.rw), "unknown")
  uses.endAll(channel)
  t.deepEqual(
    [clones.rw, clones.bk].map((id) => volumes.find(id)?.users),
    [0, 0],
  )
  t.is(uses.end(channel, clones.bk), "unknown")
})

test("uses of a connection: one that is asked to end ends, and tells why later", async (t) => {
  const { volumes } = serve(t)
  const uses = new ChannelUses(volumes)
  const channel = channelOf()
  await uses.begin(channel, clones.rw)
  volumes.find(clones.rw)?.abortUses("VBUSY")
  t.is(volumes.find(clones.rw)?.users, 0)
  t.deepEqual(uses.end(channel, clones.rw), { aborted: "VBUSY" })
})

test("uses of a connection: none begins for a client that has gone, or on a volume that is refused", async (t) => {
  const { volumes } = serve(t)
  const uses = new ChannelUses(volumes)
  const gone = channelOf()
  gone.end()
  await uses.begin(gone, clones.rw)
  t.is(volumes.find(clones.rw)?.users, 0)
  t.throws(() => uses.begin(channelOf(), 4711), { instanceOf: AfsError })
})

test("uses of a connection: so many and no more, until one ends; other connections have room", async (t) => {
  const { volumes } = serve(t)
  const uses = new ChannelUses(volumes, 3)
  const [greedy, modest] = [channelOf(), channelOf()]
  for (const volume of [clones.rw, clones.rw, clones.bk]) await uses.begin(greedy, volume)
  t.false(uses.hasRoom(greedy))
  t.true(uses.hasRoom(modest))
  volumes.find(clones.rw)?.abortUses("VBUSY")
  t.false(uses.hasRoom(greedy), "uses that were interrupted are remembered until their PUT, and count")
  uses.end(greedy, clones.rw)
  t.true(uses.hasRoom(greedy))
  uses.endAll(greedy)
  t.true(uses.hasRoom(greedy))
})
