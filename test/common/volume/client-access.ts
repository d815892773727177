import test from "ava"
import { type AccessView, decideAccess, salvageBusyMs } from "../../../common/volume/client-access.ts"
import { isExclusive, type VolumeState, volumeStateCount, volumeStateOf } from "../../../common/volume/volume-state.ts"

const now = 1_000_000
const view = (state: VolumeState, more: Partial<AccessView> = {}): AccessView => ({
  state,
  specialStatus: undefined,
  salvageWantedAt: undefined,
  holdOffUntil: 0,
  flags: undefined,
  ...more,
})
const said = (seen: AccessView, at = now): string => {
  const decided = decideAccess(seen, at)
  return decided.step === "refuse" ? decided.code + (decided.salvaging ? ", more urgent" : "") : decided.step
}
const flags = { inUse: true, inService: true, blessed: true }

test("access: an attached volume serves if it is in use by the server, blessed and in service", (t) => {
  t.is(said(view("ATTACHED", { flags })), "serve")
  t.is(said(view("ATTACHED", { flags: { ...flags, inService: false } })), "VNOVOL")
  t.is(said(view("ATTACHED", { flags: { ...flags, blessed: false } })), "VNOVOL")
  t.is(said(view("ATTACHED", { flags: { ...flags, inUse: false } })), "VOFFLINE")
  t.is(said(view("ATTACHED", { flags, specialStatus: "VBUSY" })), "VBUSY")
})

test("access: a pre-attached volume is attached, unless a special status, a salvage or a held lock says otherwise", (t) => {
  t.is(said(view("PREATTACHED")), "attach")
  t.is(said(view("PREATTACHED", { specialStatus: "VMOVED" })), "VMOVED")
  t.is(said(view("PREATTACHED", { salvageWantedAt: now })), "VBUSY, more urgent")
  t.is(said(view("PREATTACHED", { holdOffUntil: now + 1 })), "VBUSY", "not VNOVOL, which makes clients give up")
  t.is(said(view("PREATTACHED", { holdOffUntil: now })), "attach")
})

test("access: an offline volume answers VOFFLINE, or its special status", (t) => {
  for (const state of ["UNATTACHED", "GOING_OFFLINE"] as const) {
    t.is(said(view(state)), "VOFFLINE")
    t.is(said(view(state, { specialStatus: "VBUSY" })), "VBUSY")
    t.is(said(view(state, { specialStatus: "VMOVED" })), "VMOVED")
  }
})

test("access: a volume in error or being detached does not exist for clients, whatever its special status", (t) => {
  for (const state of ["ERROR", "SHUTTING_DOWN", "FREED"] as const) {
    t.is(said(view(state)), "VNOVOL")
    t.is(said(view(state, { specialStatus: "VBUSY" })), "VNOVOL")
  }
})

test("access: a deleted volume does not exist, but one that moved away first has moved", (t) => {
  t.is(said(view("DELETED")), "VNOVOL")
  t.is(said(view("DELETED", { specialStatus: "VMOVED" })), "VMOVED")
})

test("access: a volume that waits for its salvage is busy for 600 seconds, then clients look elsewhere", (t) => {
  t.is(salvageBusyMs, 600_000)
  for (const state of ["SALVAGING", "SALVAGE_REQ", "SALVSYNC_REQ", "ATTACHED"] as const) {
    const waiting = view(state, { salvageWantedAt: now, flags })
    t.is(said(waiting, now), "VBUSY, more urgent", state)
    t.is(said(waiting, now + 599_999), "VBUSY, more urgent", state)
    t.is(said(waiting, now + 600_000), "VRESTARTING, more urgent", state)
  }
})

test("access: somebody's exclusive work is waited for, except the talk with the salvage server", (t) => {
  for (let number = 0; number < volumeStateCount; number++) {
    const state = volumeStateOf(number)
    if (state === undefined || state === "SALVSYNC_REQ") continue
    t.is(said(view(state)) === "wait", isExclusive(state), state)
  }
})
