import test from "ava"
import { programTypes } from "../../../common/protocol/codes.ts"
import type { CheckoutChannel, CheckoutRequest } from "../../../common/volume/checkout.ts"
import { CheckoutRegister } from "../../../common/volume/checkout-register.ts"

interface Volume {
  readonly id: number
}

const channel = (): CheckoutChannel => ({ closed: new AbortController().signal })

const request = (volume: number, type: keyof typeof programTypes = "volumeServer"): CheckoutRequest => ({
  programType: programTypes[type],
  pid: 1,
  thread: 1,
  parent: 0,
  command: 0,
  reason: 0,
  volume,
  partition: "/vicepa",
  vnode: 0,
  unique: 0,
})

test("checkout register: a connection has room until it keeps so many volumes out of service, and for those it has", (t) => {
  const register = new CheckoutRegister<Volume>(2)
  const [one, other] = [channel(), channel()]
  t.true(register.hasRoom(one, request(1)))
  register.takeSlot(one, 1)
  register.takeSlot(one, 2)
  register.takeSlot(one, 2)
  t.false(register.hasRoom(one, request(3)))
  t.true(register.hasRoom(one, request(2)))
  t.true(register.hasRoom(one, request(3, "debugUtility")))
  t.true(register.hasRoom(other, request(3)))
  register.freeSlot(other, 1)
  t.false(register.hasRoom(one, request(3)), "another connection's slot is its own")
  register.freeSlot(one, 1)
  t.true(register.hasRoom(one, request(3)))
})

test("checkout register: a connection that ends leaves the checkouts that were not given back, once", (t) => {
  const register = new CheckoutRegister<Volume>(2)
  const [one, other] = [channel(), channel()]
  const [kept, ended, moved] = [{ id: 1 }, { id: 2 }, { id: 3 }]
  for (const volume of [kept, ended, moved]) register.add(one, volume)
  register.takeSlot(one, kept.id)
  register.takeSlot(one, ended.id)
  register.remove(one, ended)
  register.remove(one, moved)
  register.add(other, moved)
  t.deepEqual(register.close(one), [{ volume: kept, hadSlot: true }])
  t.deepEqual(register.close(one), [])
  t.true(register.hasRoom(one, request(5)))
  t.deepEqual(register.close(other), [{ volume: moved, hadSlot: false }])
})
