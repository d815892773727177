import test from "ava"
import { fssyncCommands, fssyncReasons, responses } from "../../fssync/message.ts"
import { type CheckoutVerdict, verifyCheckout } from "../../fssync/verify-checkout.ts"
import { sampleRequest } from "../support/sync-samples.ts"

const { OK, DENIED, COM_ERROR, BAD_COMMAND, FAILED } = responses
const { VOL_NEEDVOLUME, VOL_OFF } = fssyncCommands
const clone = 2
const sent = sampleRequest({ command: VOL_NEEDVOLUME, reason: clone, programType: 6, pid: 100, thread: 1 })
const showing = (fields: Partial<typeof sent>) => ({
  response: OK,
  reason: 0,
  payload: { request: { ...sent, ...fields }, state: 3 },
})

const rows: readonly (readonly [string, Parameters<typeof verifyCheckout>[1], CheckoutVerdict])[] = [
  ["shows the checkout", showing({}), "verified"],
  ["shows it from another thread", showing({ thread: 9 }), "verified"],
  ["shows it for the partition's other spelling", showing({ partition: "" }), "verified"],
  ["shows it in another state of operation", { ...showing({}), payload: { request: sent, state: 4 } }, "verified"],
  ["shows another program type", showing({ programType: 4 }), "denied"],
  ["shows another process", showing({ pid: 101 }), "denied"],
  ["shows another command", showing({ command: VOL_OFF }), "denied"],
  ["shows another mode", showing({ reason: 3 }), "denied"],
  ["knows no such volume", { response: FAILED, reason: fssyncReasons.UNKNOWN_VOLID }, "verified"],
  ["knows it on another partition", { response: FAILED, reason: fssyncReasons.WRONG_PART }, "verified"],
  [
    "has no pending operation, as after a restart",
    { response: FAILED, reason: fssyncReasons.NO_PENDING_VOL_OP },
    "denied",
  ],
  ["fails otherwise", { response: FAILED, reason: fssyncReasons.VOL_PKG_ERROR }, "error"],
  ["fails without a reason", { response: FAILED, reason: 0 }, "error"],
  ["denies", { response: DENIED, reason: fssyncReasons.UNKNOWN_VOLID }, "error"],
  ["does not understand", { response: COM_ERROR, reason: 0 }, "error"],
  ["does not know the command", { response: BAD_COMMAND, reason: 0 }, "error"],
  ["says OK and nothing more", { response: OK, reason: 0 }, "error"],
]

for (const [what, answer, verdict] of rows) {
  test(`verify checkout: a fileserver that ${what}: ${verdict}`, (t) => t.is(verifyCheckout(sent, answer), verdict))
}

test("verify checkout: a salvager's OFF is verified like a mode", (t) => {
  const off = sampleRequest({ command: VOL_OFF, reason: fssyncReasons.SALVAGE, programType: 4 })
  t.is(verifyCheckout(off, { response: OK, reason: 0, payload: { request: off, state: 4 } }), "verified")
  const whatever = { ...off, reason: fssyncReasons.WHATEVER }
  t.is(verifyCheckout(off, { response: OK, reason: 0, payload: { request: whatever, state: 4 } }), "denied")
})
