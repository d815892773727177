/**
 * The states of a volume in a fileserver, which changes between them are legal, and the one function that changes a state.
 * Pure: no input or output, time is an argument. Numbers and names are OpenAFS's (vol/volume.h, VolState).
 *
 *                              VOL_ON
 *      ┌───────────────────────────────────────────────┬──────────────┬──────────────┐
 *      ▼                                               │              │              │
 *   PREATTACHED ──access──► ATTACHING ──damage──► SALVAGING ◄──┐    ERROR ◄─┐     DELETED
 *      ▲   ▲                 │  │  └─cannot attach─────│───────│──────┘     │        ▲
 *      │   └──not blessed────┘  │                      ▼       │            │        │ DONE
 *      │                        │                 SALVSYNC_REQ ┘            │ 16     │
 *      │ VOL_ON                 ▼ UPDATING, VLRU_ADD                        │ sal-   │
 *   UNATTACHED              ATTACHED ──damage──► SALVAGE_REQ ───────────────┘ vages  │
 *      ▲   │                 │    ▲                  │ last user leaves              │
 *      │   │   checkout,     ▼    │ withdrawn        ▼                               │
 *      │   │   soft detach  GOING_OFFLINE ──────► OFFLINING ──► SALVAGING            │
 *      │   │                                         │                               │
 *      │   └────── DONE ─────────────────────────────│───────────────────────────────┘
 *      └─────────────────────────────────────────────┘
 *
 * States 4–7 and 15–19 are short excursions of an attached volume (someone works on it alone) and go back to ATTACHED.
 */

export const volumeStates = {
  UNATTACHED: 0,
  PREATTACHED: 1,
  ATTACHING: 2,
  ATTACHED: 3,
  UPDATING: 4,
  GET_BITMAP: 5,
  HDR_LOADING: 6,
  HDR_ATTACHING: 7,
  SHUTTING_DOWN: 8,
  GOING_OFFLINE: 9,
  OFFLINING: 10,
  DETACHING: 11,
  SALVSYNC_REQ: 12,
  SALVAGING: 13,
  ERROR: 14,
  VNODE_ALLOC: 15,
  VNODE_GET: 16,
  VNODE_CLOSE: 17,
  VNODE_RELEASE: 18,
  VLRU_ADD: 19,
  DELETED: 20,
  SALVAGE_REQ: 21,
  SCANNING_RXCALLS: 22,
  FREED: 23,
} as const

/** Name of a volume state. */
export type VolumeState = keyof typeof volumeStates
export const volumeStateCount = 24

const names = new Map<number, VolumeState>()
for (const [name, number] of Object.entries(volumeStates)) if (isVolumeState(name)) names.set(number, name)

function isVolumeState(name: string): name is VolumeState {
  return name in volumeStates
}

/** The state with this number, or undefined if there is none. */
export function volumeStateOf(number: number): VolumeState | undefined {
  return names.get(number)
}

const exclusive: ReadonlySet<VolumeState> = new Set<VolumeState>([
  "ATTACHING",
  "UPDATING",
  "GET_BITMAP",
  "HDR_LOADING",
  "HDR_ATTACHING",
  "OFFLINING",
  "DETACHING",
  "SALVSYNC_REQ",
  "VNODE_ALLOC",
  "VNODE_GET",
  "VNODE_CLOSE",
  "VNODE_RELEASE",
  "VLRU_ADD",
  "SCANNING_RXCALLS",
])
const failed: ReadonlySet<VolumeState> = new Set<VolumeState>(["SALVAGING", "ERROR", "SALVAGE_REQ"])
const offline: ReadonlySet<VolumeState> = new Set<VolumeState>(["UNATTACHED", "SALVAGING", "ERROR", "DELETED"])

/** One task owns the volume; everybody else waits for the next state. */
export function isExclusive(state: VolumeState): boolean {
  return exclusive.has(state)
}

/** The volume is damaged or was put out of use; only a check-in or a salvage leads out. */
export function isErrorState(state: VolumeState): boolean {
  return failed.has(state)
}

/** The volume counts as offline. */
export function isOffline(state: VolumeState): boolean {
  return offline.has(state)
}

const work: readonly VolumeState[] = [
  "UPDATING",
  "GET_BITMAP",
  "HDR_LOADING",
  "HDR_ATTACHING",
  "VNODE_ALLOC",
  "VNODE_GET",
  "VNODE_CLOSE",
  "VNODE_RELEASE",
  "VLRU_ADD",
]
/** Where an excursion ends: back in service, or in a salvage if it met damage. */
const afterWork: readonly VolumeState[] = ["ATTACHED", "SALVAGE_REQ"]

/**
 * The legal changes. One of them is not OpenAFS's: a checkout that still waits for users may be withdrawn
 * (GOING_OFFLINE back to ATTACHED), because here its asker can end while it waits.
 */
const followers: Readonly<Record<VolumeState, readonly VolumeState[]>> = {
  UNATTACHED: ["PREATTACHED", "SALVAGE_REQ", "ERROR", "DELETED"],
  PREATTACHED: ["ATTACHING", "UNATTACHED", "SALVAGE_REQ", "ERROR", "DELETED"],
  ATTACHING: ["UPDATING", "VLRU_ADD", "ATTACHED", "UNATTACHED", "PREATTACHED", "SALVAGING", "ERROR", "FREED"],
  ATTACHED: ["GOING_OFFLINE", "SHUTTING_DOWN", "SALVAGE_REQ", "ERROR", ...work],
  UPDATING: [...afterWork, "VLRU_ADD", "SALVAGING", "ERROR"],
  GET_BITMAP: afterWork,
  HDR_LOADING: afterWork,
  HDR_ATTACHING: [...afterWork, "HDR_LOADING"],
  SHUTTING_DOWN: ["DETACHING", "UNATTACHED"],
  GOING_OFFLINE: ["OFFLINING", "SCANNING_RXCALLS", "ATTACHED", "SALVAGE_REQ", "ERROR"],
  OFFLINING: ["UNATTACHED", "SALVAGING", "ERROR"],
  DETACHING: ["FREED", "UNATTACHED"],
  SALVSYNC_REQ: ["SALVAGING"],
  SALVAGING: ["SALVSYNC_REQ", "PREATTACHED", "SALVAGE_REQ", "ERROR", "DELETED", "UNATTACHED"],
  ERROR: ["PREATTACHED", "SALVAGE_REQ", "DELETED", "UNATTACHED"],
  VNODE_ALLOC: afterWork,
  VNODE_GET: afterWork,
  VNODE_CLOSE: afterWork,
  VNODE_RELEASE: afterWork,
  VLRU_ADD: afterWork,
  DELETED: ["PREATTACHED", "SALVAGE_REQ", "ERROR"],
  SALVAGE_REQ: ["OFFLINING", "SCANNING_RXCALLS", "SALVAGING", "PREATTACHED", "DELETED", "ERROR", "UNATTACHED"],
  SCANNING_RXCALLS: ["GOING_OFFLINE", "SALVAGE_REQ"],
  FREED: [],
}

const legal: ReadonlySet<number> = new Set(
  Object.entries(followers).flatMap(([from, list]) =>
    isVolumeState(from) ? list.map((to) => volumeStates[from] * volumeStateCount + volumeStates[to]) : [],
  ),
)

/** True if a volume in `from` may change to `to`. Staying is no change and not in the table. */
export function isLegalChange(from: VolumeState, to: VolumeState): boolean {
  return legal.has(volumeStates[from] * volumeStateCount + volumeStates[to])
}

/** One change that a volume went through. */
export interface StateChange {
  readonly state: VolumeState
  /** Milliseconds since 1970. */
  readonly at: number
}

/** So many changes are kept per volume, for queries and reports of bugs: an attach makes four. */
export const keptChanges = 8
/** A kept change is one number: time in ms times this, plus the state. Stays far below 2^53. */
const packing = 32

/** The state of one volume. Others read it, wait on it, and change it through `change` only. */
export class VolumeStateCell {
  #state: VolumeState
  readonly #kept: number[]
  #waiters: (() => void)[] | undefined

  constructor(state: VolumeState, now: number) {
    this.#state = state
    this.#kept = [pack(state, now)]
  }

  get state(): VolumeState {
    return this.#state
  }

  get isExclusive(): boolean {
    return exclusive.has(this.#state)
  }

  /** How many wait for the next change. */
  get waiting(): number {
    return this.#waiters?.length ?? 0
  }

  /** The last few changes, oldest first. */
  get history(): StateChange[] {
    return this.#kept.map((packed) => ({
      state: volumeStateOf(packed % packing) ?? "FREED",
      at: Math.floor(packed / packing),
    }))
  }

  /**
   * Changes the state and wakes who waits for a change.
   * @throws Error for a change that the table does not allow: a bug, never an answer.
   */
  change(to: VolumeState, now: number): void {
    if (!isLegalChange(this.#state, to)) throw new Error(`volume state cannot change from ${this.#state} to ${to}`)
    this.#state = to
    if (this.#kept.length >= keptChanges) this.#kept.shift()
    this.#kept.push(pack(to, now))
    this.wake()
  }

  /** Resolves at the next change (or `wake`). The state may have changed again by the time the waiter runs. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters ??= []
      this.#waiters.push(resolve)
    })
  }

  /** Wakes who waits for a change although the state is the same: something else about the volume changed. */
  wake(): void {
    const waiters = this.#waiters
    if (waiters === undefined) return
    this.#waiters = undefined
    for (const waiter of waiters) waiter()
  }
}

function pack(state: VolumeState, now: number): number {
  return Math.floor(now) * packing + volumeStates[state]
}
