import test from "ava"
import {
  isErrorState,
  isExclusive,
  isLegalChange,
  isOffline,
  keptChanges,
  type VolumeState,
  VolumeStateCell,
  volumeStateCount,
  volumeStateOf,
  volumeStates,
} from "../../../common/volume/volume-state.ts"

const all = Array.from({ length: volumeStateCount }, (_, number) => volumeStateOf(number)).filter(
  (state) => state !== undefined,
)

/** Every legal change, spelled out a second time: a slip in the table must not pass by being copied. */
const wanted: Record<VolumeState, string> = {
  UNATTACHED: "1 14 20 21",
  PREATTACHED: "0 2 14 20 21",
  ATTACHING: "0 1 3 4 13 14 19 23",
  ATTACHED: "4 5 6 7 8 9 14 15 16 17 18 19 21",
  UPDATING: "3 13 14 19 21",
  GET_BITMAP: "3 21",
  HDR_LOADING: "3 21",
  HDR_ATTACHING: "3 6 21",
  SHUTTING_DOWN: "0 11",
  GOING_OFFLINE: "3 10 14 21 22",
  OFFLINING: "0 13 14",
  DETACHING: "0 23",
  SALVSYNC_REQ: "13",
  SALVAGING: "0 1 12 14 20 21",
  ERROR: "0 1 20 21",
  VNODE_ALLOC: "3 21",
  VNODE_GET: "3 21",
  VNODE_CLOSE: "3 21",
  VNODE_RELEASE: "3 21",
  VLRU_ADD: "3 21",
  DELETED: "1 14 21",
  SALVAGE_REQ: "0 1 10 13 14 20 22",
  SCANNING_RXCALLS: "9 21",
  FREED: "",
}

test("volume state: there are 24 states, numbered 0 to 23 as OpenAFS numbers them", (t) => {
  t.is(all.length, 24)
  t.deepEqual(
    all.map((state) => volumeStates[state]),
    Array.from({ length: 24 }, (_, number) => number),
  )
  t.is(volumeStateOf(24), undefined)
})

for (const from of all) {
  test(`volume state: ${from} changes to exactly the states that its row allows`, (t) => {
    const allowed = all.filter((to) => isLegalChange(from, to)).map((to) => volumeStates[to])
    t.is(allowed.join(" "), wanted[from])
    for (const to of all) {
      const path = new VolumeStateCell(from, 0)
      if (isLegalChange(from, to)) {
        path.change(to, 1)
        t.is(path.state, to)
      } else {
        t.throws(() => path.change(to, 1), { message: `volume state cannot change from ${from} to ${to}` })
        t.is(path.state, from)
      }
    }
  })
}

test("volume state: exclusive, error and offline states are those of the reference", (t) => {
  const numbers = (is: (state: VolumeState) => boolean): number[] => all.filter(is).map((state) => volumeStates[state])
  t.deepEqual(numbers(isExclusive), [2, 4, 5, 6, 7, 10, 11, 12, 15, 16, 17, 18, 19, 22])
  t.deepEqual(numbers(isErrorState), [13, 14, 21])
  t.deepEqual(numbers(isOffline), [0, 13, 14, 20])
})

test("volume state: every state but FREED leads on, so that no volume is stuck for good", (t) => {
  const reach = (from: VolumeState): Set<VolumeState> => {
    const seen = new Set<VolumeState>([from])
    for (const state of seen) for (const to of all) if (isLegalChange(state, to)) seen.add(to)
    return seen
  }
  for (const state of all) {
    if (state === "FREED" || state === "SHUTTING_DOWN" || state === "DETACHING") continue
    t.true(reach(state).has("ATTACHED"), `${state} can come back into service`)
  }
})

test("volume state: a change wakes everybody who waits, once", async (t) => {
  const cell = new VolumeStateCell("PREATTACHED", 0)
  const woken: string[] = []
  const waits = ["a", "b"].map(async (name) => {
    await cell.changed()
    woken.push(`${name} sees ${cell.state}`)
  })
  t.is(cell.waiting, 2)
  cell.change("ATTACHING", 1)
  t.is(cell.waiting, 0)
  await Promise.all(waits)
  t.deepEqual(woken, ["a sees ATTACHING", "b sees ATTACHING"])
})

test("volume state: a wake without a change reaches who waits and is not a change", async (t) => {
  const cell = new VolumeStateCell("ATTACHED", 5)
  const waiting = cell.changed()
  cell.wake()
  await waiting
  t.deepEqual(cell.history, [{ state: "ATTACHED", at: 5 }])
})

test("volume state: the last changes are kept with their times, in bounded room", (t) => {
  const cell = new VolumeStateCell("PREATTACHED", 1_700_000_000_000)
  const round: VolumeState[] = [
    "ATTACHING",
    "UPDATING",
    "VLRU_ADD",
    "ATTACHED",
    "GOING_OFFLINE",
    "OFFLINING",
    "UNATTACHED",
    "PREATTACHED",
  ]
  let now = 1_700_000_000_000
  for (let lap = 0; lap < 100; lap++) for (const state of round) cell.change(state, ++now)
  t.is(cell.history.length, keptChanges)
  t.deepEqual(cell.history.at(-1), { state: "PREATTACHED", at: now })
  t.deepEqual(
    cell.history.map((change) => change.state),
    round,
  )
  t.is(cell.history[0]?.at, now - keptChanges + 1)
})
