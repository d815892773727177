import test from "ava"
import { systemClock } from "../../common/clock.ts"
import { isAfsError } from "../../common/error.ts"
import { encodeAccessList } from "../../common/vnode/access-list.ts"
import type { VolumeUse } from "../../common/volume/server-volume.ts"
import type { Caller } from "../../fileserver/host-table.ts"
import { Request } from "../../fileserver/request.ts"
import type { ChangesBy, Serving } from "../../fileserver/serving.ts"
import { attachedVolume, now } from "../support/attached.ts"

const tree = { sub: { folder: { one: "1", two: "2" } }, other: { folder: { three: "3" } } }
const [read, write, look] = [1, 2, 8]
const anyUser = [-101]

/** An access list that gives rights to one id. */
const listFor = (id: number, rights: number): Uint8Array =>
  encodeAccessList({ positive: [{ id, rights }], negative: [] })

/** A user without groups. */
const person = (id: number) => ({ id, cps: [id], isAdministrator: false, isSuperuser: false })

test("sight: one request sees at once what changes in access lists, groups, users and the volume's owner", async (t) => {
  const home = await attachedVolume(t, tree)
  const host = { cps: [] as readonly number[] }
  const caller = { host, user: person(1001) }
  const request = new Request(
    { protection: { anyUser }, clock: systemClock } as unknown as Serving,
    caller as unknown as Caller,
    { attached: home.volume } as unknown as VolumeUse,
  )
  const rights = (path: string): number => request.sightOf(home.at(path)).rights
  home.volume.setAccessList(home.at("sub"), listFor(1001, read), now)
  home.volume.setAccessList(home.at("other"), listFor(1002, write), now)
  t.deepEqual([rights("sub/one"), rights("sub/two"), rights("sub"), rights("other/three")], [read, read, read, 0])
  t.is(request.sightOf(home.at("sub/one")), request.sightOf(home.at("sub")), "what is under one list is looked up once")
  home.volume.setAccessList(home.at("sub"), listFor(1001, look), now)
  t.is(rights("sub/one"), look)
  home.volume.setAccessList(home.at("sub"), listFor(-300, read), now)
  t.is(rights("sub/one"), 0)
  host.cps = [-300]
  t.is(rights("sub/two"), read)
  t.is(rights("other/three"), 0)
  caller.user = person(1002)
  t.is(rights("other/three"), write)
  t.false(request.sightOf(home.at("other/three")).isVolumeOwner)
  home.volume.setStatus(home.root, { owner: 1002, now })
  t.true(request.sightOf(home.at("other/three")).isVolumeOwner)
  home.volume.rename(home.at("sub"), Buffer.from("one"), home.at("other"), Buffer.from("one"), { author: 1, now })
  t.is(rights("other/one"), write, "a file that has moved is under the list of its new directory")
})

test("changes: a server takes everybody's, those of administrators, or nobody's", async (t) => {
  const home = await attachedVolume(t, tree)
  const isTaken = (changesBy: ChangesBy, isAdministrator: boolean): boolean => {
    const request = new Request(
      { changesBy, clock: systemClock } as unknown as Serving,
      { host: { cps: [] }, user: { ...person(1001), isAdministrator } } as unknown as Caller,
      { attached: home.volume } as unknown as VolumeUse,
    )
    try {
      request.requireWritable()
      return true
    } catch (error) {
      t.true(isAfsError(error, "VREADONLY"))
      return false
    }
  }
  t.deepEqual([isTaken("everybody", false), isTaken("everybody", true)], [true, true])
  t.deepEqual([isTaken("administrators", false), isTaken("administrators", true)], [false, true])
  t.deepEqual([isTaken("nobody", false), isTaken("nobody", true)], [false, false])
})
