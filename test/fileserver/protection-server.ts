import test from "ava"
import { NoDatabase } from "../../common/cell/database-calls.ts"
import { isAfsError } from "../../common/error.ts"
import { noSuchUser, PR } from "../../common/protocol/ptint.ts"
import { rpcClient } from "../../common/rpc/client.ts"
import { isRpcError, type RpcConnection, RpcError } from "../../common/rpc/rpc-call.ts"
import { type Procedures, rpcService } from "../../common/rpc/service.ts"
import { ProtectionServer, type ProtectionServerOptions } from "../../fileserver/protection-server.ts"
import { connectionTo } from "../support/memory-call.ts"
import { virtualClock } from "../support/virtual-clock.ts"

const names = new Map([
  ["system:administrators", -204],
  ["system:anyuser", -101],
  ["system:authuser", -102],
  ["ann", 1001],
  ["ann.admin", 1002],
  ["eve@other.cell", 1003],
  ["ann:friends", -206],
])
const groups = new Map([
  [-101, [-101]],
  [32_766, [-101, 32_766]],
  [1001, [1001, -101, -102, -206]],
  [1002, [-204, -102, -101, 1002]],
])

/** A protection server in memory that can fall silent. */
function rig(overrides: Procedures<(typeof PR)["operations"]> = {}) {
  const asked: string[] = []
  const service = rpcService(
    PR,
    {
      NameToID({ nlist }) {
        asked.push(`names ${nlist.join()}`)
        return { ilist: nlist.map((name) => names.get(name) ?? 32_766) }
      },
      IDToName({ ilist }) {
        asked.push(`ids ${ilist.join()}`)
        const known = new Map([...names].map(([name, id]) => [id, name]))
        return { nlist: ilist.map((id) => known.get(id) ?? String(id)) }
      },
      GetCPS({ id }) {
        asked.push(`groups ${id}`)
        const elist = groups.get(id)
        if (elist === undefined) throw new RpcError(noSuchUser, "PR_GetCPS")
        return { elist, over: 0 }
      },
      GetHostCPS({ host }) {
        asked.push(`host ${host}`)
        return { elist: host === 0x0a63_0001 ? [-207, -209] : [], over: 0 }
      },
      ...overrides,
    },
    { log: { error: (facts) => asked.push(JSON.stringify(facts)) } },
  )
  const state = { isSilent: false }
  const stubs = rpcClient(PR, connectionTo(service))
  const calls: ProtectionServerOptions["calls"] = {
    async call(make) {
      if (state.isSilent) throw new NoDatabase("silence")
      return await make(stubs)
    },
  }
  const clock = virtualClock()
  const logged: string[] = []
  const note = (_facts: object, message: string): void => void logged.push(message)
  const protection = new ProtectionServer({
    calls,
    superusers: { has: (user) => user?.name === "admin" },
    localRealms: () => ({ realms: new Set(["test.cell"]), excluded: new Set() }),
    clock,
    log: { info: note, warn: note },
  })
  return { protection, state, clock, asked, logged }
}

const peer = { host: 0x0a63_0001, port: 7001 }
const connection = (name?: string, cell = "", instance = ""): RpcConnection =>
  name === undefined ? { peer } : { peer, user: { name, instance, cell, expires: 2 ** 31 } }

/** All that waits for answers in memory has them. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}

test("protection server: callers without a name are anonymous at once, and nobody is asked for each", async (t) => {
  const { protection, asked } = rig()
  const user = protection.userOf(connection())
  t.false(user instanceof Promise)
  t.deepEqual((await user).cps, [-101, 32_766])
  await settled()
  t.deepEqual(asked, ["groups -101", "groups 32766"])
  t.is(protection.userOf(connection()), protection.userOf(connection()))
  t.deepEqual(protection.anyUser, [-101])
})

test("protection server: a name becomes an id and groups, once for a connection, in lower case, sorted", async (t) => {
  const { protection, asked } = rig()
  await settled()
  asked.length = 0
  const ann = connection("Ann", "TEST.CELL")
  const user = await protection.userOf(ann)
  t.is(user.id, 1001)
  t.deepEqual(user.cps, [-206, -102, -101, 1001])
  t.false(user.isAdministrator)
  t.false(user.isSuperuser)
  t.is(protection.userOf(ann), user)
  t.deepEqual(asked, ["names ann", "groups 1001"])
  t.true((await protection.userOf(connection("ann", "", "admin"))).isAdministrator)
  t.true((await protection.userOf(connection("admin"))).isSuperuser)
})

test("protection server: names that nobody has are anonymous, and so are those whose id has gone", async (t) => {
  const { protection } = rig()
  t.is((await protection.userOf(connection("unknown"))).id, 32_766)
  const gone = await protection.userOf(connection("eve", "OTHER.CELL"))
  t.is(gone.id, 32_766)
  t.deepEqual(gone.cps, [-101, 32_766])
})

test("protection server: two calls of a new connection at a time ask once", async (t) => {
  const { protection, asked } = rig()
  const ann = connection("ann")
  const [one, other] = [protection.userOf(ann), protection.userOf(ann)]
  t.is(await one, await other)
  t.is(asked.filter((what) => what === "names ann").length, 1)
})

test("protection server: groups are asked for again after a flush, and after two idle hours", async (t) => {
  const { protection, asked, clock } = rig()
  await settled()
  const ann = connection("ann")
  const looks = async (): Promise<number> => {
    await protection.userOf(ann)
    return asked.filter((what) => what === "groups 1001").length
  }
  t.is(await looks(), 1)
  clock.advance(3_600_000)
  t.is(await looks(), 1)
  clock.advance(7_000_000)
  t.is(await looks(), 1)
  clock.advance(7_300_000)
  t.is(await looks(), 2)
  protection.forget([1002], [])
  t.is(await looks(), 2)
  protection.forget([1001], [])
  t.is(await looks(), 3)
  clock.advance(1)
  t.is(await looks(), 3)
})

test("protection server: thousands of flushed users make all forgotten, which is safe", async (t) => {
  const { protection, asked, clock } = rig()
  const ann = connection("ann")
  await protection.userOf(ann)
  clock.advance(1)
  for (let id = 10_000; id < 14_100; id++) protection.forget([id], [])
  clock.advance(1)
  await protection.userOf(ann)
  t.is(asked.filter((what) => what === "groups 1001").length, 2)
})

test("protection server: a host's groups are kept for two hours, and forgotten on request", async (t) => {
  const { protection, asked, clock } = rig()
  t.deepEqual(await protection.hostGroups(peer.host), [-209, -207])
  t.deepEqual(protection.hostGroups(peer.host), [-209, -207])
  t.deepEqual(await protection.hostGroups(0xc0a8_0001), [])
  const looks = (): number => asked.filter((what) => what.startsWith("host")).length
  t.is(looks(), 2)
  t.true(asked.includes(`host ${0xc0a8_0001 | 0}`))
  protection.forget([], [peer.host | 0])
  t.deepEqual(await protection.hostGroups(peer.host), [-209, -207])
  t.is(looks(), 3)
  clock.advance(7_200_001)
  t.deepEqual(await protection.hostGroups(peer.host), [-209, -207])
  t.is(looks(), 4)
})

test("protection server: while none answers callers without a name are served without groups of hosts, at once", async (t) => {
  const { protection, state, clock, logged } = rig({})
  state.isSilent = true
  t.deepEqual(await protection.hostGroups(peer.host), [])
  await settled()
  t.deepEqual(protection.hostGroups(0x0a63_0002), [])
  t.deepEqual((await protection.userOf(connection())).cps, [-101, 32_766])
  t.is(logged.length, 1)
  state.isSilent = false
  clock.advance(30_001)
  await settled()
  t.deepEqual(await protection.hostGroups(peer.host), [-209, -207])
  t.deepEqual(logged, [
    "no protection server answers: groups of hosts do not count",
    "a protection server answers again",
  ])
})

test("protection server: servers that never answered are waited for two seconds in all", async (t) => {
  const { protection, clock } = rig({ GetCPS: () => new Promise(() => undefined) })
  const first = protection.hostGroups(peer.host)
  t.true(first instanceof Promise)
  await settled()
  clock.advance(2_000)
  t.deepEqual(await first, [])
  t.deepEqual(protection.hostGroups(0x0a63_0002), [])
})

test("protection server: a caller with a name is refused while none answers, and served when one does", async (t) => {
  const { protection, state } = rig()
  await settled()
  state.isSilent = true
  const ann = connection("ann")
  t.true(isRpcError(await t.throwsAsync(async () => await protection.userOf(ann)), -1001))
  state.isSilent = false
  t.is((await protection.userOf(ann)).id, 1001)
})

test("protection server: names and ids of access lists are asked for; while none answers, known ones do", async (t) => {
  const { protection, state } = rig()
  await settled()
  t.deepEqual(await protection.idsOf(["Ann", "ann:friends", "system:anyuser", "nobody", "1001"]), [
    1001,
    -206,
    -101,
    undefined,
    undefined,
  ])
  t.deepEqual(await protection.namesOf([1001, -206, 77]), ["ann", "ann:friends", "77"])
  state.isSilent = true
  t.deepEqual(await protection.namesOf([1001, -101]), ["1001", "system:anyuser"])
  t.deepEqual(await protection.idsOf(["system:anyuser", "1001"]), [-101, 1001])
  t.true(isAfsError(await t.throwsAsync(async () => await protection.idsOf(["ann"])), "EINVAL"))
})
