import test from "ava"
import { attachModes, programTypes } from "../../../common/protocol/codes.ts"
import {
  type CheckoutView,
  decideCheckout,
  decideDone,
  decideForceError,
  decideLeaveOff,
  decideLostCheckout,
  decideMove,
  decideOn,
  isTracked,
  type PendingOperation,
  type Purpose,
  reconnectGraceMs,
  stateAfterDrop,
  staysOnline,
  staysOnlineUnread,
  tellsBusy,
} from "../../../common/volume/checkout.ts"
import { isExclusive, type VolumeState, volumeStateCount, volumeStateOf } from "../../../common/volume/volume-state.ts"

const { fileServer, volumeUtility, salvager, salvageServer, debugUtility, volumeServer, volumeSalvager } = programTypes
const need = (mode: keyof typeof attachModes): Purpose => ({ command: "NEED", mode: attachModes[mode] })
const off: Purpose = { command: "OFF", salvage: false }
const salvage: Purpose = { command: "OFF", salvage: true }
const channel = { closed: new AbortController().signal }

function operation(programType: number, purpose: Purpose = need("CLONE")): PendingOperation {
  const request = {
    command: 0,
    reason: 0,
    programType,
    pid: 1,
    thread: 0,
    volume: 5,
    partition: "",
    parent: 0,
    vnode: 0,
    unique: 0,
  }
  return { request, purpose, channel, before: "ATTACHED", state: "runningOffline" }
}

const view = (state: VolumeState, more: Partial<CheckoutView> = {}): CheckoutView => ({
  state,
  operation: undefined,
  salvageWanted: false,
  readWrite: true,
  ...more,
})
const said = (decided: { step: string } | { step: "refuse"; why: string }): string =>
  "why" in decided ? decided.why : decided.step
const states = Array.from({ length: volumeStateCount }, (_, number) => volumeStateOf(number)).filter(
  (state) => state !== undefined,
)
const plain = states.filter((state) => !isExclusive(state))

/** Rows of the table "checkout, and what clients get meanwhile"; the columns are volumes that are attached. */
const modes: {
  name: string
  purpose: Purpose
  rw: "keepOnline" | "takeOffline"
  ro: "keepOnline" | "takeOffline"
  busy: boolean
}[] = [
  { name: "NEED READONLY", purpose: need("READONLY"), rw: "keepOnline", ro: "keepOnline", busy: false },
  { name: "NEED CLONE", purpose: need("CLONE"), rw: "takeOffline", ro: "keepOnline", busy: true },
  { name: "NEED DUMP", purpose: need("DUMP"), rw: "takeOffline", ro: "keepOnline", busy: true },
  { name: "NEED VOLUPD", purpose: need("VOLUPD"), rw: "takeOffline", ro: "takeOffline", busy: false },
  { name: "NEED SECRETLY", purpose: need("SECRETLY"), rw: "takeOffline", ro: "takeOffline", busy: false },
  { name: "NEED PEEK", purpose: need("PEEK"), rw: "takeOffline", ro: "takeOffline", busy: false },
  {
    name: "NEED with a mode that nobody knows",
    purpose: { command: "NEED", mode: 99 },
    rw: "takeOffline",
    ro: "takeOffline",
    busy: false,
  },
  { name: "OFF WHATEVER", purpose: off, rw: "takeOffline", ro: "takeOffline", busy: false },
  { name: "OFF SALVAGE", purpose: salvage, rw: "takeOffline", ro: "takeOffline", busy: true },
]

for (const { name, purpose, rw, ro, busy } of modes) {
  test(`checkout: ${name} of an attached volume: read-write ${rw}, other ${ro}, clients are told ${busy ? "busy" : "offline"}`, (t) => {
    t.is(said(decideCheckout(volumeServer, purpose, view("ATTACHED", { readWrite: true }))), rw)
    t.is(said(decideCheckout(volumeServer, purpose, view("ATTACHED", { readWrite: false }))), ro)
    t.is(tellsBusy(purpose), busy)
    t.is(staysOnline(purpose, true), rw === "keepOnline")
    t.is(staysOnline(purpose, false), ro === "keepOnline")
    t.is(staysOnlineUnread(purpose), rw === ro ? rw === "keepOnline" : undefined, "without knowing the type")
  })
}

test("checkout: a volume that is not attached is recorded and left as it is, by those who may", (t) => {
  for (const state of ["UNATTACHED", "PREATTACHED"] as const) {
    for (const type of [volumeUtility, volumeServer, salvageServer, volumeSalvager, debugUtility]) {
      t.is(said(decideCheckout(type, need("CLONE"), view(state))), "record", `${state} for ${type}`)
    }
  }
  t.is(said(decideCheckout(volumeServer, need("CLONE"), view("DELETED"))), "grant")
})

test("checkout: fileservers, salvagers of whole partitions and unknown types get no known volume", (t) => {
  for (const type of [fileServer, salvager, 0, 8, -1]) {
    for (const state of ["PREATTACHED", "ATTACHED", "ERROR", "DELETED"] as const) {
      t.is(said(decideCheckout(type, off, view(state))), "denied", `${state} for ${type}`)
    }
  }
})

test("checkout: volume tools are refused a volume that is salvaged or in error; salvagers and the debug tool are not", (t) => {
  for (const type of [volumeUtility, volumeServer]) {
    for (const state of ["SALVAGING", "SALVAGE_REQ"] as const) {
      t.is(said(decideCheckout(type, off, view(state))), "salvaging")
    }
    for (const state of ["PREATTACHED", "ATTACHED", "UNATTACHED"] as const) {
      t.is(said(decideCheckout(type, off, view(state, { salvageWanted: true }))), "salvaging")
    }
    t.is(said(decideCheckout(type, off, view("ERROR"))), "denied")
  }
  for (const type of [salvageServer, volumeSalvager, debugUtility]) {
    for (const state of ["SALVAGING", "ERROR"] as const) {
      t.is(said(decideCheckout(type, salvage, view(state, { salvageWanted: true }))), "record")
    }
    t.is(said(decideCheckout(type, salvage, view("SALVAGE_REQ"))), "wait", "users of the volume are still leaving")
  }
})

test("checkout: another type's checkout excludes, whatever the state; the same type's is replaced", (t) => {
  for (const state of states) {
    const held = view(state, { operation: operation(volumeServer) })
    t.is(said(decideCheckout(salvageServer, salvage, held)), "exclusive", state)
    const salvaged = view(state, { operation: operation(salvageServer, salvage) })
    t.is(said(decideCheckout(volumeServer, need("CLONE"), salvaged)), "salvaging", state)
    t.not(said(decideCheckout(volumeServer, need("CLONE"), held)), "exclusive", state)
  }
  t.is(
    said(decideCheckout(volumeServer, need("DUMP"), view("UNATTACHED", { operation: operation(volumeServer) }))),
    "record",
  )
})

test("checkout: exclusive states are waited out by every operation", (t) => {
  for (const state of states.filter(isExclusive)) {
    const seen = view(state)
    t.is(said(decideCheckout(volumeServer, off, seen)), "wait", state)
    t.is(said(decideOn(volumeServer, { ...seen, users: 0 })), "wait", state)
    t.is(said(decideLeaveOff(volumeServer, seen, true)), "wait", state)
    t.is(said(decideDone(volumeServer, seen, true)), "wait", state)
    t.is(said(decideForceError(volumeServer, true, seen, true)), "wait", state)
  }
  t.is(said(decideCheckout(volumeServer, off, view("GOING_OFFLINE"))), "wait", "another checkout waits for users")
})

test("check-in ON: every state comes back to PREATTACHED, an attached volume stays, one that waits for users is kept", (t) => {
  const steps = new Map(plain.map((state) => [state, said(decideOn(volumeServer, { ...view(state), users: 0 }))]))
  t.deepEqual(Object.fromEntries(steps), {
    UNATTACHED: "preattach",
    PREATTACHED: "preattach",
    ATTACHED: "endOperation",
    SHUTTING_DOWN: "endOperation",
    GOING_OFFLINE: "withdraw",
    SALVAGING: "preattach",
    ERROR: "preattach",
    DELETED: "preattach",
    SALVAGE_REQ: "preattach",
    FREED: "endOperation",
  })
  t.is(
    said(decideOn(salvageServer, { ...view("UNATTACHED", { operation: operation(volumeServer) }), users: 0 })),
    "exclusive",
  )
  t.is(
    said(decideOn(volumeServer, { ...view("UNATTACHED", { operation: operation(volumeServer) }), users: 0 })),
    "preattach",
  )
})

test("check-in ON: a volume in error whose former users still run is not attached beside them", (t) => {
  for (const state of ["ERROR", "SALVAGE_REQ"] as const) {
    t.is(said(decideOn(volumeServer, { ...view(state), users: 1 })), "wait", state)
  }
})

test("check-in LEAVE_OFF: offline and pre-attached volumes stay offline, others are in a bad state for it", (t) => {
  const steps = new Map(plain.map((state) => [state, said(decideLeaveOff(volumeServer, view(state), true))]))
  t.deepEqual(Object.fromEntries(steps), {
    UNATTACHED: "leaveOffline",
    PREATTACHED: "leaveOffline",
    ATTACHED: "badState",
    SHUTTING_DOWN: "badState",
    GOING_OFFLINE: "badState",
    SALVAGING: "badState",
    ERROR: "badState",
    DELETED: "unknownVolume",
    SALVAGE_REQ: "badState",
    FREED: "unknownVolume",
  })
  const held = view("UNATTACHED", { operation: operation(volumeServer) })
  t.is(said(decideLeaveOff(salvageServer, held, true)), "exclusive")
  t.is(said(decideLeaveOff(volumeServer, held, false)), "wrongPartition")
  t.is(said(decideLeaveOff(volumeServer, view("DELETED"), false)), "unknownVolume")
})

test("check-in DONE: idle and error states are deleted, deleted ones end their checkout, online ones refuse", (t) => {
  const steps = new Map(plain.map((state) => [state, said(decideDone(volumeServer, view(state), true))]))
  t.deepEqual(Object.fromEntries(steps), {
    UNATTACHED: "delete",
    PREATTACHED: "delete",
    ATTACHED: "badState",
    SHUTTING_DOWN: "badState",
    GOING_OFFLINE: "badState",
    SALVAGING: "delete",
    ERROR: "delete",
    DELETED: "endOperation",
    SALVAGE_REQ: "delete",
    FREED: "endOperation",
  })
})

/**
 * OpenAFS 1.8.9: a salvage that was refused because a volserver dumps the volume ends in FORCE_ERROR, which wiped the
 * volserver's checkout and took the volume from its clients until the dump was over.
 */
test("checkout: a salvager's verdict does not count against a living program of another type", (t) => {
  for (const judge of [salvager, salvageServer, volumeSalvager]) {
    const held = view("UNATTACHED", { operation: operation(volumeServer) })
    t.is(said(decideForceError(judge, false, held, true)), "exclusive")
    t.is(said(decideDone(judge, held, true)), "exclusive")
    t.is(said(decideForceError(judge, false, held, false)), "error", "the owner is dead")
    t.is(said(decideDone(judge, held, false)), "delete", "the owner is dead")
    t.is(said(decideForceError(judge, true, held, true)), "salvage", "a request for a salvage is none")
    const own = view("UNATTACHED", { operation: operation(judge) })
    t.is(said(decideForceError(judge, false, own, true)), "error")
    t.is(said(decideDone(judge, own, true)), "delete")
  }
})

test("checkout: a volserver and an operator may force an error and declare a volume deleted against anybody", (t) => {
  for (const type of [volumeServer, debugUtility, volumeUtility]) {
    const held = view("UNATTACHED", { operation: operation(salvageServer, salvage) })
    t.is(said(decideForceError(type, false, held, true)), "error")
    t.is(said(decideForceError(type, true, held, true)), "salvage")
    t.is(said(decideDone(type, held, true)), "delete")
  }
})

test("checkout: FORCE_ERROR works in every state that nobody owns", (t) => {
  for (const state of plain) {
    t.is(said(decideForceError(volumeServer, true, view(state), true)), "salvage", state)
    t.is(said(decideForceError(volumeServer, false, view(state), true)), "error", state)
  }
})

test("checkout: only an offline volume can have moved away", (t) => {
  for (const state of states) {
    t.is(said(decideMove(view(state))), state === "UNATTACHED" || state === "PREATTACHED" ? "moved" : "badState", state)
  }
})

test("lost checkout: nothing is dropped under a held lock, however long ago and however dead the owner", (t) => {
  for (const takenOffline of [true, false]) {
    for (const processLives of [true, false]) {
      t.is(decideLostCheckout({ takenOffline, processLives, lockHeld: true, lostForMs: 1e9 }), "askAgain")
    }
  }
})

test("lost checkout: what the connection took offline, or a dead process held, is dropped at once", (t) => {
  t.is(decideLostCheckout({ takenOffline: true, processLives: true, lockHeld: false, lostForMs: 0 }), "drop")
  t.is(decideLostCheckout({ takenOffline: false, processLives: false, lockHeld: false, lostForMs: 0 }), "drop")
})

test("lost checkout: a living process has a while to come back", (t) => {
  const lost = { takenOffline: false, processLives: true, lockHeld: false }
  t.is(decideLostCheckout({ ...lost, lostForMs: reconnectGraceMs - 1 }), "askAgain")
  t.is(decideLostCheckout({ ...lost, lostForMs: reconnectGraceMs }), "drop")
})

test("lost checkout: what was in service will be again, what an operator took offline stays so", (t) => {
  t.is(stateAfterDrop("UNATTACHED", "ATTACHED"), "PREATTACHED")
  t.is(stateAfterDrop("UNATTACHED", "PREATTACHED"), "PREATTACHED")
  t.is(stateAfterDrop("UNATTACHED", "UNATTACHED"), "UNATTACHED")
  for (const state of ["ATTACHED", "PREATTACHED", "SALVAGING", "ERROR", "DELETED"] as const) {
    t.is(stateAfterDrop(state, "ATTACHED"), state)
  }
})

test("lost checkout: only the debug tool's checkouts outlive its connection", (t) => {
  for (const type of Object.values(programTypes)) t.is(isTracked(type), type !== debugUtility)
})
