import test from "ava"
import { ackReasons } from "../../../common/protocol/rx-packet.ts"
import { AckDebt } from "../../../common/rx/ack.ts"

test("ack: one packet is owed an ACK, the second gets it", (t) => {
  const debt = new AckDebt()
  t.is(debt.arrived("next", false), undefined)
  t.true(debt.isOwed)
  t.is(debt.arrived("next", false), ackReasons.idle)
  debt.acked(1)
  t.false(debt.isOwed)
  t.is(debt.arrived("next", false), undefined)
})

test("ack: gaps, duplicates, excess and questions are answered at once", (t) => {
  const debt = new AckDebt()
  t.is(debt.arrived("gap", false), ackReasons.outOfSequence)
  t.is(debt.arrived("duplicate", true), ackReasons.duplicate)
  t.is(debt.arrived("beyond", true), ackReasons.exceedsWindow)
  t.is(debt.arrived("next", true), ackReasons.requested)
  t.is(debt.arrived("gap", true), ackReasons.requested)
})

test("ack: a reader that frees more than two packets tells at once, fewer later", (t) => {
  const debt = new AckDebt()
  t.false(debt.consumed(1))
  t.false(debt.isOwed)
  t.false(debt.consumed(3))
  t.true(debt.isOwed)
  t.true(debt.consumed(4))
  debt.acked(4)
  t.false(debt.consumed(6))
})

test("ack: data of the other direction pays the debt", (t) => {
  const debt = new AckDebt()
  debt.arrived("next", false)
  debt.answered()
  t.false(debt.isOwed)
})

test("ack: of several that are held one is left, and whatever says as much since takes its place", (t) => {
  const debt = new AckDebt()
  t.true(debt.hold(ackReasons.idle, 7))
  t.false(debt.hold(ackReasons.requested, 8))
  t.deepEqual([debt.held, debt.heldSerial], [ackReasons.requested, 8])
  debt.answered()
  t.is(debt.held, undefined)
  t.true(debt.hold(ackReasons.idle, 9))
  debt.acked(3)
  t.is(debt.held, undefined)
})
