/**
 * Which volumes of a partition share files: the volume group cache. A group is a read-write id (the parent, whose volume
 * need not exist) and its members. Pure; volume-group-scan.ts fills it from the headers on disk.
 * OpenAFS vol/vg_cache.c.
 *
 *     INVALID ──begin──► UPDATING ──end──► VALID ──begin──► UPDATING
 *        ▲                  │ scan failed
 *        └──────────────────┘
 *
 * A salvage trusts the answer with the data of every member, so there is never a partial one: none while a scan runs, and
 * none for a group whose headers contradict each other or that has more members than an answer can name.
 */

export type GroupCacheState = "INVALID" | "UPDATING" | "VALID"

/** Members that an answer has room for: part of the protocol. */
export const groupMembersMax = 20

/** What is known of a volume's group. */
export type GroupAnswer =
  | { readonly kind: "group"; readonly parent: number; readonly members: readonly number[] }
  /** The cache is not valid (yet). */
  | { readonly kind: "scanning" }
  | { readonly kind: "unknown" }
  /** The headers themselves have to be read. */
  | { readonly kind: "unclear" }

/** `conflict`: the child is known as a member of another group. `full`: the group has `groupMembersMax` members. */
export type AddResult = "stored" | "conflict" | "full"
export type RemoveResult = "removed" | "unknown" | "conflict"

interface Group {
  /** The id that the group is known by; all ids it was ever known by are keys of it. */
  parent: number
  readonly keys: number[]
  /** In the order of discovery. */
  readonly members: number[]
  /** Two headers tell different things about it. */
  contradicted: boolean
}

/** The groups of one partition. */
export class VolumeGroupCache {
  #state: GroupCacheState = "INVALID"
  /** By member id and by parent id. */
  readonly #groups = new Map<number, Group>()
  /** Removals during a scan, by child, with their parents (0 = any): an older sight of the header must not bring it back. */
  readonly #removed = new Map<number, Set<number>>()

  get state(): GroupCacheState {
    return this.#state
  }

  /** Number of known members of all groups. */
  get size(): number {
    return new Set([...this.#groups.values()].flatMap((group) => group.members)).size
  }

  query(volume: number): GroupAnswer {
    if (this.#state !== "VALID") return { kind: "scanning" }
    const group = this.#groups.get(volume)
    if (group === undefined) return { kind: "unknown" }
    if (group.contradicted || group.members.length > groupMembersMax) return { kind: "unclear" }
    return { kind: "group", parent: group.parent, members: [...group.members] }
  }

  /** A header was made. Without a cache nothing is stored: the next scan will find it. */
  add(parent: number, child: number): AddResult {
    if (this.#state === "INVALID") return "stored"
    const result = this.#join(parent, child, groupMembersMax)
    if (result === "stored") this.#forgetRemoval(parent, child)
    return result
  }

  /** As `add`, for a header that was looked at just now: what contradicts it is older and goes. */
  addSeen(parent: number, child: number): void {
    if (this.#state === "INVALID") return
    if (this.#join(parent, child, Number.POSITIVE_INFINITY) === "conflict") {
      this.#leave(child)
      this.#join(parent, child, Number.POSITIVE_INFINITY)
    }
    this.#forgetRemoval(parent, child)
  }

  /** A header was removed. `parent` 0 stands for any. */
  remove(parent: number, child: number): RemoveResult {
    if (this.#state === "INVALID") return "removed"
    if (this.#state === "UPDATING") this.#rememberRemoval(parent, child)
    const group = this.#groups.get(child)
    if (group === undefined || !group.members.includes(child)) return "unknown"
    if (parent !== 0) {
      const named = this.#groups.get(parent)
      if (named === undefined) return "unknown"
      if (named !== group) return "conflict"
    }
    this.#leave(child)
    return "removed"
  }

  /** Forgets everything; a scan begins. False if one is running: it goes on, unharmed. */
  beginScan(): boolean {
    if (this.#state === "UPDATING") return false
    this.#groups.clear()
    this.#removed.clear()
    this.#state = "UPDATING"
    return true
  }

  /** The scan met a header. */
  found(parent: number, child: number): void {
    if (this.#state !== "UPDATING") throw new Error("no scan is running")
    const removed = this.#removed.get(child)
    if (removed?.has(parent) === true || removed?.has(0) === true) return
    if (this.#join(parent, child, Number.POSITIVE_INFINITY) === "stored") return
    for (const group of [this.#groups.get(parent), this.#groups.get(child)]) {
      if (group !== undefined) group.contradicted = true
    }
  }

  /** The scan is over; `complete`: it saw every header. */
  endScan(complete: boolean): void {
    if (this.#state !== "UPDATING") throw new Error("no scan is running")
    this.#removed.clear()
    if (!complete) this.#groups.clear()
    this.#state = complete ? "VALID" : "INVALID"
  }

  #join(parent: number, child: number, membersMax: number): AddResult {
    const ofParent = this.#groups.get(parent)
    const ofChild = this.#groups.get(child)
    if (ofChild === undefined) return this.#enter(ofParent ?? this.#newGroup(parent), child, membersMax)
    if (ofParent === ofChild) {
      return ofChild.members.includes(child) ? "stored" : this.#enter(ofChild, child, membersMax)
    }
    if (ofParent !== undefined || !ofChild.members.includes(child)) return "conflict"
    // Known as a member, while the id of its group is new: the group is known by that id from now on.
    ofChild.parent = parent
    ofChild.keys.push(parent)
    this.#groups.set(parent, ofChild)
    return "stored"
  }

  #newGroup(parent: number): Group {
    const group: Group = { parent, keys: [parent], members: [], contradicted: false }
    this.#groups.set(parent, group)
    return group
  }

  #enter(group: Group, child: number, membersMax: number): AddResult {
    if (group.members.length >= membersMax) return "full"
    group.members.push(child)
    this.#groups.set(child, group)
    return "stored"
  }

  #leave(child: number): void {
    const group = this.#groups.get(child)
    const place = group?.members.indexOf(child) ?? -1
    if (group === undefined || place < 0) return
    group.members.splice(place, 1)
    if (!group.keys.includes(child)) this.#groups.delete(child)
    if (group.members.length === 0) for (const key of group.keys) this.#groups.delete(key)
  }

  #rememberRemoval(parent: number, child: number): void {
    const parents = this.#removed.get(child) ?? new Set<number>()
    parents.add(parent)
    this.#removed.set(child, parents)
  }

  #forgetRemoval(parent: number, child: number): void {
    const parents = this.#removed.get(child)
    parents?.delete(parent)
    parents?.delete(0)
    if (parents?.size === 0) this.#removed.delete(child)
  }
}
