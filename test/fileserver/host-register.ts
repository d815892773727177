import test from "ava"
import type { HostAddress } from "../../fileserver/host.ts"
import { HostRegister } from "../../fileserver/host-register.ts"
import { addressOf, uuidOf } from "../support/client-rig.ts"
import { fuzz } from "../support/random.ts"

test("host register: a host is found by number, UUID and each of its addresses, until it goes", (t) => {
  const register = new HostRegister(5)
  const host = register.add(uuidOf(1), addressOf(1), 7)
  register.addAddress(host, addressOf(2))
  for (const found of [
    register.withIndex(host.index),
    register.withUuid(uuidOf(1)),
    register.at(addressOf(1)),
    register.at(addressOf(2)),
  ])
    t.is(found, host)
  t.is(register.at(addressOf(1, 7002)), undefined)
  register.remove(host)
  register.remove(host)
  t.true(host.isGone)
  t.is(register.size, 0)
  for (const found of [register.withIndex(host.index), register.withUuid(uuidOf(1)), register.at(addressOf(2))])
    t.is(found, undefined)
  t.is(register.add(undefined, addressOf(2), 7).index, host.index, "its number is given again")
})

test("host register: what is another host's is refused, and so is one host too many", (t) => {
  const register = new HostRegister(1)
  register.add(uuidOf(1), addressOf(1), 7)
  t.throws(() => register.add(uuidOf(2), addressOf(2), 7), { instanceOf: RangeError })
  const roomy = new HostRegister(5)
  const host = roomy.add(uuidOf(1), addressOf(1), 7)
  t.throws(() => roomy.add(uuidOf(1), addressOf(2), 7), { instanceOf: RangeError })
  t.throws(() => roomy.add(uuidOf(2), addressOf(1), 7), { instanceOf: RangeError })
  t.throws(() => roomy.removeAddress(host, addressOf(1)), { instanceOf: RangeError })
  roomy.removeAddress(host, addressOf(9))
  t.is(roomy.at(addressOf(1)), host)
})

test("host register: the address that answers is called first, and the others stay", (t) => {
  const register = new HostRegister(5)
  const host = register.add(uuidOf(1), addressOf(1), 7)
  for (const nth of [2, 3]) register.addAddress(host, addressOf(nth))
  register.prefer(host, addressOf(3))
  register.addAddress(host, addressOf(3))
  t.deepEqual(host.addresses, [addressOf(3), addressOf(1), addressOf(2)])
  register.removeAddress(host, addressOf(3))
  t.deepEqual(host.addresses, [addressOf(1), addressOf(2)])
  t.is(register.at(addressOf(3)), undefined)
})

test("host register: a host keeps 32 addresses, its first among them", (t) => {
  const register = new HostRegister(5)
  const host = register.add(uuidOf(1), addressOf(1), 7)
  for (let nth = 2; nth < 100; nth++) register.addAddress(host, addressOf(nth))
  t.is(host.addresses.length, 32)
  t.deepEqual([host.addresses[0], host.addresses.at(-1)], [addressOf(1), addressOf(99)])
  t.is(register.at(addressOf(2)), undefined)
})

test("host register: the oldest is the one that has not called for longest, of those that count", (t) => {
  const register = new HostRegister(5)
  const hosts = [30, 10, 20].map((lastCall, nth) => register.add(uuidOf(nth), addressOf(nth), lastCall))
  t.is(
    register.oldest(() => true),
    hosts[1],
  )
  t.is(
    register.oldest((host) => host !== hosts[1]),
    hosts[2],
  )
  t.is(
    register.oldest(() => false),
    undefined,
  )
})

test("host register: whatever happens, an address leads to the host that has it, and to no other", (t) => {
  fuzz(t, (random) => {
    const register = new HostRegister(6)
    const place = (): HostAddress => addressOf(random.below(10))
    for (let step = 0; step < 200; step++) {
      const hosts = [...register]
      const at = place()
      const owner = register.at(at)
      const host = hosts.length === 0 ? undefined : random.pick(hosts)
      const what = random.below(5)
      if (what === 0 && owner === undefined && !register.isFull) register.add(undefined, at, step)
      else if (host === undefined) continue
      else if (what === 1 && (owner === undefined || owner === host)) register.prefer(host, at)
      else if (what === 2 && owner === undefined) register.addAddress(host, at)
      else if (what === 3 && (host.addresses.length > 1 || !host.isAt(at))) register.removeAddress(host, at)
      else if (what === 4 && random.below(4) === 0) register.remove(host)
      for (let nth = 0; nth < 10; nth++) {
        const found = [...register].filter((one) => one.isAt(addressOf(nth)))
        t.is(register.at(addressOf(nth)), found[0])
        t.true(found.length <= 1)
      }
    }
  })
})
