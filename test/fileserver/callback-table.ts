import test from "ava"
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import type { BreakTicket } from "../../fileserver/break-queue.ts"
import { CallbackTable, noPromise } from "../../fileserver/callback-table.ts"
import type { Host } from "../../fileserver/host.ts"
import { HostRegister } from "../../fileserver/host-register.ts"
import { PromiseStore } from "../../fileserver/promise-store.ts"
import { fid, fidText } from "../support/cache-manager.ts"
import { addressOf, uuidOf } from "../support/client-rig.ts"
import { fuzz, type Random } from "../support/random.ts"

const start = Date.UTC(2026, 0, 1)
const object = fid(5, 2, 2)

interface Bench {
  readonly table: CallbackTable
  readonly hosts: readonly Host[]
  readonly register: HostRegister
  /** `1 5.2.2`: the host's number and the fid, as they are sent. */
  readonly sent: string[]
  /** Ends all breaks that were sent. */
  answerAll(): void
}

function bench(count: number, capacity = 1_000): Bench {
  const register = new HostRegister(100)
  const hosts = Array.from({ length: count }, (_, nth) => register.add(uuidOf(nth), addressOf(nth), start + nth))
  const sent: string[] = []
  const tickets: BreakTicket[] = []
  const table = new CallbackTable(new PromiseStore(capacity, 100), register, {
    add(host: Host, of: AFSFid, ticket?: BreakTicket) {
      ticket?.add()
      if (ticket !== undefined) tickets.push(ticket)
      sent.push(`${host.index} ${fidText(of)}`)
    },
  })
  const answerAll = (): void => {
    for (const ticket of tickets.splice(0)) ticket.end()
  }
  return { table, hosts, register, sent, answerAll }
}

function hostAt({ hosts }: Bench, nth: number): Host {
  const host = hosts[nth]
  if (host === undefined) throw new Error(`there is no host ${nth}`)
  return host
}

const secondsTold = (b: Bench, nth: number, of = object, isBulk = false): number =>
  b.table.promise(hostAt(b, nth), of, true, start, isBulk).ExpirationTime

const between = (seconds: number, lifetime: number): boolean => seconds >= lifetime && seconds < lifetime + 128

test("callback table: promises are shorter the more hosts have one on the object", (t) => {
  const b = bench(66)
  const told = Array.from({ length: 66 }, (_, nth) => secondsTold(b, nth))
  const wanted = (nth: number): number =>
    nth < 8 ? 14_400 : nth < 16 ? 3_600 : nth < 24 ? 1_800 : nth < 40 ? 900 : nth < 64 ? 600 : 420
  for (const [nth, seconds] of told.entries()) t.true(between(seconds, wanted(nth)), `${nth}: ${seconds}`)
  t.is(b.table.store.count, 66)
})

test("callback table: what the client is told is shared, version 1, seconds from now", (t) => {
  const b = bench(1)
  const told = b.table.promise(hostAt(b, 0), object, true, start, false)
  t.deepEqual({ ...told, ExpirationTime: 0 }, { CallBackVersion: 1, ExpirationTime: 0, CallBackType: 2 })
})

test("callback table: a promise that is made again is renewed, not doubled", (t) => {
  const b = bench(1)
  const first = b.table.promise(hostAt(b, 0), object, true, start, false)
  t.is(b.table.promise(hostAt(b, 0), object, true, start + 900, false), first, "nothing is made for a known promise")
  const later = b.table.promise(hostAt(b, 0), object, true, start + 1_000_000, false)
  t.true(between(later.ExpirationTime, 14_400))
  t.is(b.table.store.count, 1)
  t.is(b.table.counters().addedPromises, 1)
})

test("callback table: a bulk call's first promise lasts half an hour", (t) => {
  t.true(between(secondsTold(bench(1), 0, object, true), 1_800))
})

test("callback table: a host has one promise for a whole volume that nobody writes to", (t) => {
  const b = bench(2)
  for (const of of [fid(7, 2, 2), fid(7, 3, 9), fid(7, 1, 1)])
    t.true(between(b.table.promise(hostAt(b, 0), of, false, start, true).ExpirationTime, 7_200))
  b.table.promise(hostAt(b, 1), fid(7, 2, 2), false, start, false)
  t.is(b.table.store.count, 2)
  t.is(b.table.break(fid(7, 2, 2)), undefined)
  b.table.breakVolume(7)
  t.deepEqual(b.sent.sort(), ["1 7.0.0", "2 7.0.0"])
  t.is(b.table.store.count, 0)
})

test("callback table: a break tells everybody but the one who made the change, who keeps the promise", async (t) => {
  const b = bench(3)
  for (const nth of [0, 1, 2]) secondsTold(b, nth)
  const told = b.table.break(object, hostAt(b, 1))
  t.deepEqual(b.sent.sort(), ["1 5.2.2", "3 5.2.2"])
  let isTold = false
  void told?.then(() => {
    isTold = true
  })
  await Promise.resolve()
  t.false(isTold, "it is waited for")
  b.answerAll()
  await told
  t.is(b.table.store.count, 1)
  t.is(b.table.break(object, hostAt(b, 1)), undefined, "a second change has nobody to tell")
  t.is(b.sent.length, 2)
  t.truthy(b.table.break(object))
  t.deepEqual(b.sent.slice(2), ["2 5.2.2"])
})

test("callback table: other objects are left alone", (t) => {
  const b = bench(1)
  for (const other of [fid(5, 2, 3), fid(5, 4, 2), fid(6, 2, 2), fid(5, 0, 0)]) secondsTold(b, 0, other)
  t.is(b.table.break(object), undefined)
  t.is(b.table.store.count, 4)
})

test("callback table: a removed object's promises go without a message", (t) => {
  const b = bench(2)
  secondsTold(b, 0)
  secondsTold(b, 1)
  b.table.forget(object)
  t.deepEqual(b.sent, [])
  t.is(b.table.store.count, 0)
})

test("callback table: what was given up is not told of", (t) => {
  const b = bench(2)
  secondsTold(b, 0)
  secondsTold(b, 1)
  b.table.giveUp(hostAt(b, 0), [fid(9, 9, 9), object, object])
  void b.table.break(object)
  t.deepEqual(b.sent, ["2 5.2.2"])
  b.table.promise(hostAt(b, 0), fid(7, 2, 2), false, start, false)
  b.table.giveUp(hostAt(b, 0), [fid(7, 0, 0)])
  b.table.breakVolume(7)
  t.is(b.sent.length, 1)
  for (const vnode of [2, 4, 6]) secondsTold(b, 0, fid(5, vnode, 1))
  b.table.giveUpAll(hostAt(b, 0))
  t.is(b.table.store.count, 0)
})

test("callback table: a volume's break goes to each host once, whatever it had there", (t) => {
  const b = bench(3)
  for (const vnode of [2, 4, 6]) secondsTold(b, 0, fid(5, vnode, 1))
  secondsTold(b, 1, fid(5, 2, 1))
  secondsTold(b, 2, fid(6, 2, 1))
  b.table.breakVolume(5)
  t.deepEqual(b.sent.sort(), ["1 5.0.0", "2 5.0.0"])
  t.is(b.table.store.count, 1)
})

test("callback table: a host that is down costs a break nothing, and is to be told later", (t) => {
  const b = bench(2)
  secondsTold(b, 0)
  secondsTold(b, 0, fid(5, 4, 4))
  b.table.promise(hostAt(b, 0), fid(7, 2, 2), false, start, false)
  hostAt(b, 0).isDown = true
  t.is(b.table.break(object), undefined)
  t.is(b.table.break(object), undefined)
  b.table.breakVolume(7)
  t.deepEqual(b.sent, [])
  t.deepEqual(b.table.untold(hostAt(b, 0)).map(fidText).sort(), ["5.2.2", "7.0.0"])
  b.table.told(hostAt(b, 0), [object, fid(7, 0, 0)])
  t.deepEqual(b.table.untold(hostAt(b, 0)), [])
  t.is(b.table.store.count, 1)
})

test("callback table: a volume's break takes the place of what was to be told of things in it", (t) => {
  const b = bench(1)
  secondsTold(b, 0)
  secondsTold(b, 0, fid(5, 4, 4))
  hostAt(b, 0).isDown = true
  void b.table.break(object)
  b.table.breakVolume(5)
  t.deepEqual(b.table.untold(hostAt(b, 0)).map(fidText), ["5.0.0"])
})

test("callback table: what is promised anew while a host is told what it missed stays promised", (t) => {
  // A fetch that began before the host was down ended while its break was told: the client kept what the server forgot.
  const b = bench(1)
  secondsTold(b, 0)
  secondsTold(b, 0, fid(5, 4, 4))
  hostAt(b, 0).isDown = true
  for (const of of [object, fid(5, 4, 4)]) void b.table.break(of)
  const missed = b.table.untold(hostAt(b, 0))
  secondsTold(b, 0)
  b.table.told(hostAt(b, 0), missed)
  t.is(b.table.store.count, 1)
  t.deepEqual(b.table.untold(hostAt(b, 0)), [])
  hostAt(b, 0).isDown = false
  t.truthy(b.table.break(object))
})

test("callback table: what a host could not be told is kept for it, and it is down", (t) => {
  const b = bench(1)
  b.table.keepUntold(hostAt(b, 0), [object, fid(5, 4, 4)], start)
  t.true(hostAt(b, 0).isDown)
  t.deepEqual(b.table.untold(hostAt(b, 0)).map(fidText), ["5.2.2", "5.4.4"])
})

test("callback table: where what a host has to hear cannot be kept, it has to forget everything", (t) => {
  const b = bench(2, 3)
  for (const vnode of [2, 4, 6]) secondsTold(b, 1, fid(5, vnode, 1))
  b.table.keepUntold(hostAt(b, 0), [object], start)
  t.true(hostAt(b, 0).needsReset)
  t.is(b.table.store.count, 3)
})

test("callback table: nothing is promised to a host that has gone", (t) => {
  const b = bench(1)
  b.register.remove(hostAt(b, 0))
  t.is(b.table.promise(hostAt(b, 0), object, true, start, false), noPromise)
  t.is(b.table.store.count, 0)
})

test("callback table: a full table first loses what is over", (t) => {
  const b = bench(2, 4)
  for (const vnode of [2, 4]) b.table.promise(hostAt(b, 0), fid(5, vnode, 1), true, start, true)
  for (const vnode of [6, 8]) b.table.promise(hostAt(b, 0), fid(5, vnode, 1), true, start, false)
  const later = start + 3_600_000
  t.is(b.table.promise(hostAt(b, 1), object, true, later, false).CallBackType, 2)
  t.deepEqual(b.sent, [])
  t.is(b.table.store.count, 3)
  t.like(b.table.counters(), { gotSpaces: 1, timedOut: 2, reclaimed: 0 })
})

test("callback table: a full table takes from the host that has not called for longest, by telling it", (t) => {
  const b = bench(3, 4)
  secondsTold(b, 0, fid(5, 2, 1))
  secondsTold(b, 1, fid(5, 4, 1))
  secondsTold(b, 1, fid(5, 6, 1))
  secondsTold(b, 2, fid(5, 8, 1))
  hostAt(b, 0).lastCall = start + 10_000
  secondsTold(b, 2)
  t.deepEqual(b.sent, ["2 5.4.1", "2 5.6.1"])
  t.is(b.table.store.count, 3)
  t.like(b.table.counters(), { gotSpaces: 1, reclaimed: 1 })
})

test("callback table: a full table's longest silent host, being down, has to forget everything", (t) => {
  const b = bench(2, 2)
  secondsTold(b, 0, fid(5, 2, 1))
  secondsTold(b, 0, fid(5, 4, 1))
  hostAt(b, 0).isDown = true
  secondsTold(b, 1)
  t.deepEqual(b.sent, [])
  t.true(hostAt(b, 0).needsReset)
  t.is(b.table.store.count, 1)
})

test("callback table: a host that fills the table alone loses the oldest of its own promises", (t) => {
  const b = bench(1, 2_000)
  for (let vnode = 0; vnode < 2_001; vnode++) secondsTold(b, 0, fid(5, vnode * 2, 1))
  t.is(b.sent.length, 1_024)
  t.deepEqual([b.sent[0], b.sent.at(-1)], ["1 5.0.1", "1 5.2046.1"])
  t.is(b.table.store.count, 977)
})

/** The table's rules over plain objects. */
class Model {
  /** `5.2.2 host` → delayed or not. */
  readonly promises = new Map<string, boolean>()
  readonly sent: string[] = []

  break(of: string, except: Host | undefined, hosts: readonly Host[]): void {
    for (const host of hosts) {
      const key = `${of} ${host.index}`
      if (host === except || !this.promises.has(key)) continue
      if (host.isDown) this.promises.set(key, true)
      else {
        this.promises.delete(key)
        this.sent.push(`${host.index} ${of}`)
      }
    }
  }

  breakVolume(volume: number, hosts: readonly Host[]): void {
    for (const host of hosts) {
      const mine = [...this.promises.keys()].filter(
        (key) => key.startsWith(`${volume}.`) && key.endsWith(` ${host.index}`),
      )
      if (mine.length === 0) continue
      for (const key of mine) this.promises.delete(key)
      if (host.isDown) this.promises.set(`${volume}.0.0 ${host.index}`, true)
      else this.sent.push(`${host.index} ${volume}.0.0`)
    }
  }
}

function act(b: Bench, model: Model, random: Random): void {
  const host = random.pick(b.hosts)
  const of = fid(5 + random.below(3), 2 * random.below(4), 1)
  const name = fidText(of)
  switch (random.below(8)) {
    case 0:
      void b.table.break(of, host)
      return model.break(name, host, b.hosts)
    case 1:
      b.table.giveUp(host, [of])
      return void model.promises.delete(`${name} ${host.index}`)
    case 2:
      b.table.breakVolume(of.Volume)
      return model.breakVolume(of.Volume, b.hosts)
    case 3:
      host.isDown = !host.isDown && random.below(2) === 0
      return
    case 4: {
      b.table.forget(of)
      for (const one of b.hosts) model.promises.delete(`${name} ${one.index}`)
      return
    }
    default:
      b.table.promise(host, of, true, start, random.below(2) === 0)
      return void model.promises.set(`${name} ${host.index}`, false)
  }
}

test("callback table: grants, breaks and down hosts agree with a model of plain objects", (t) => {
  fuzz(t, (random) => {
    const b = bench(6)
    const model = new Model()
    for (let step = 0; step < 200; step++) act(b, model, random)
    const { store } = b.table
    const found = [...store.all()].map((at) => `${fidText(store.fidOf(at))} ${store.hostOf(at)} ${store.isDelayed(at)}`)
    const wanted = [...model.promises].map(([key, isDelayed]) => `${key} ${isDelayed}`)
    t.deepEqual(found.sort(), wanted.sort(), `seed ${random.seed}`)
    t.deepEqual(b.sent.sort(), model.sent.sort(), `seed ${random.seed}`)
    t.is(b.table.counters().promises, model.promises.size)
  })
})
