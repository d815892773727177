import test from "ava"
import { groupMembersMax, VolumeGroupCache } from "../../../common/volume/volume-group.ts"
import { seededRandom } from "../../support/random.ts"

function scanned(...pairs: [parent: number, child: number][]): VolumeGroupCache {
  const cache = new VolumeGroupCache()
  cache.beginScan()
  for (const [parent, child] of pairs) cache.found(parent, child)
  cache.endScan(true)
  return cache
}

const group = (parent: number, ...members: number[]): object => ({ kind: "group", parent, members })
const unknown = { kind: "unknown" }
const scanning = { kind: "scanning" }

test("volume groups: nothing is answered before a scan, and nothing is stored", (t) => {
  const cache = new VolumeGroupCache()
  t.is(cache.state, "INVALID")
  t.deepEqual(cache.query(1), scanning)
  t.is(cache.add(1, 1), "stored")
  t.is(cache.remove(1, 1), "removed")
  t.is(cache.size, 0)
  t.throws(() => cache.found(1, 1))
  t.throws(() => cache.endScan(true))
})

test("volume groups: a running scan answers nothing, also for groups that it has seen", (t) => {
  const cache = new VolumeGroupCache()
  t.true(cache.beginScan())
  cache.found(10, 10)
  t.deepEqual(cache.query(10), scanning)
  cache.endScan(true)
  t.deepEqual(cache.query(10), group(10, 10))
})

test("volume groups: members and the parent's id find the group, members in the order of discovery", (t) => {
  const cache = scanned([10, 12], [20, 20], [10, 10], [10, 11])
  for (const id of [10, 11, 12]) t.deepEqual(cache.query(id), group(10, 12, 10, 11))
  t.deepEqual(cache.query(20), group(20, 20))
  t.deepEqual(cache.query(30), unknown)
  t.is(cache.size, 4)
})

test("volume groups: a group without its read-write volume has a parent that is no member", (t) => {
  const cache = scanned([10, 11])
  t.deepEqual(cache.query(10), group(10, 11))
  t.deepEqual(cache.query(11), group(10, 11))
})

test("volume groups: adding joins, repeats harmlessly and refuses a member of another group", (t) => {
  const cache = scanned([10, 10], [20, 20])
  t.is(cache.add(10, 11), "stored")
  t.is(cache.add(10, 11), "stored")
  t.is(cache.add(30, 30), "stored")
  t.is(cache.add(20, 11), "conflict")
  t.is(cache.add(10, 20), "conflict")
  t.deepEqual(cache.query(11), group(10, 10, 11))
  t.deepEqual(cache.query(20), group(20, 20))
})

test("volume groups: a member whose parent id is new renames its group", (t) => {
  const cache = scanned([10, 11], [10, 12])
  t.is(cache.add(40, 11), "stored")
  for (const id of [10, 11, 12, 40]) t.deepEqual(cache.query(id), group(40, 11, 12))
})

test("volume groups: a parent that is no member cannot become a member elsewhere", (t) => {
  const cache = scanned([10, 11])
  t.is(cache.add(50, 10), "conflict")
  t.deepEqual(cache.query(10), group(10, 11))
})

test("volume groups: removing knows unknown volumes, other groups and parent 0", (t) => {
  const cache = scanned([10, 10], [10, 11], [20, 20])
  t.is(cache.remove(10, 99), "unknown")
  t.is(cache.remove(99, 11), "unknown")
  t.is(cache.remove(20, 11), "conflict")
  t.is(cache.remove(0, 11), "removed")
  t.is(cache.remove(10, 11), "unknown", "a second time")
  t.deepEqual(cache.query(10), group(10, 10))
  t.is(cache.remove(10, 10), "removed")
  t.deepEqual(cache.query(10), unknown, "the last member takes the group with it")
})

test("volume groups: a read-write volume that goes leaves its clones findable by its id", (t) => {
  const cache = scanned([10, 10], [10, 11])
  t.is(cache.remove(10, 10), "removed")
  t.deepEqual(cache.query(10), group(10, 11))
  t.is(cache.add(10, 10), "stored")
  t.deepEqual(cache.query(11), group(10, 11, 10))
})

test("volume groups: the 21st member is refused, and known members stay", (t) => {
  const cache = scanned(...Array.from({ length: groupMembersMax }, (_, index): [number, number] => [10, 10 + index]))
  t.is(cache.add(10, 99), "full")
  const answer = cache.query(10)
  t.is(answer.kind === "group" ? answer.members.length : 0, 20)
  t.deepEqual(cache.query(99), unknown)
})

/**
 * The loss this prevents: a salvage frees files of members that its list lacks. A list of 20 of 21 members would
 * cost the 21st volume its data.
 */
test("volume groups: a group that has more members than an answer names is not answered, until it fits", (t) => {
  const cache = scanned(...Array.from({ length: 21 }, (_, index): [number, number] => [10, 10 + index]))
  t.deepEqual(cache.query(15), { kind: "unclear" })
  t.is(cache.remove(10, 30), "removed")
  t.is(cache.query(15).kind, "group")
})

test("volume groups: headers that put one volume into two groups leave both unanswered, the others not", (t) => {
  const cache = scanned([10, 10], [10, 11], [20, 20], [20, 11], [30, 30])
  t.deepEqual(cache.query(10), { kind: "unclear" })
  t.deepEqual(cache.query(20), { kind: "unclear" })
  t.deepEqual(cache.query(30), group(30, 30))
})

test("volume groups: a header that was just looked at moves its volume out of a group known from before", (t) => {
  const cache = scanned([10, 10], [10, 11], [20, 20])
  cache.addSeen(20, 11)
  t.deepEqual(cache.query(10), group(10, 10))
  t.deepEqual(cache.query(11), group(20, 20, 11))
})

test("volume groups: a volume removed during a scan does not come back by an older sight of its header", (t) => {
  const cache = new VolumeGroupCache()
  cache.beginScan()
  cache.found(10, 10)
  t.is(cache.remove(10, 11), "unknown", "the scan has not reached it")
  t.is(cache.remove(0, 12), "unknown")
  cache.found(10, 11)
  cache.found(10, 12)
  t.is(cache.remove(10, 10), "removed", "the scan has seen it")
  cache.found(10, 10)
  cache.found(20, 20)
  cache.endScan(true)
  for (const id of [10, 11, 12]) t.deepEqual(cache.query(id), unknown)
  t.deepEqual(cache.query(20), group(20, 20))
})

test("volume groups: a volume added during a scan is there after it, also if it had been removed before", (t) => {
  const cache = new VolumeGroupCache()
  cache.beginScan()
  cache.remove(10, 11)
  t.is(cache.add(10, 11), "stored")
  cache.found(10, 11)
  cache.found(10, 10)
  t.is(cache.add(10, 12), "stored")
  cache.endScan(true)
  t.deepEqual(cache.query(10), group(10, 11, 10, 12))
})

/** OpenAFS 1.8.9 lost the running scan's delete list to a second scan and crashed. */
test("volume groups: a scan that is asked for while one runs is refused and harms nothing", (t) => {
  const cache = new VolumeGroupCache()
  t.true(cache.beginScan())
  cache.found(10, 10)
  cache.remove(10, 11)
  t.false(cache.beginScan())
  cache.found(10, 11)
  cache.endScan(true)
  t.deepEqual(cache.query(10), group(10, 10))
})

test("volume groups: a new scan forgets what was added by hand", (t) => {
  const cache = scanned([10, 10])
  cache.add(10, 99)
  t.true(cache.beginScan())
  cache.found(10, 10)
  cache.endScan(true)
  t.deepEqual(cache.query(99), unknown)
})

test("volume groups: a scan that failed leaves no answer", (t) => {
  const cache = new VolumeGroupCache()
  cache.beginScan()
  cache.found(10, 10)
  cache.endScan(false)
  t.is(cache.state, "INVALID")
  t.deepEqual(cache.query(10), scanning)
  t.is(cache.size, 0)
})

test("volume groups: whatever the order of additions, removals and sights, the end is what the headers say", (t) => {
  const random = seededRandom(t).below
  for (let round = 0; round < 300; round++) {
    const headers = new Map<number, number>()
    for (let id = 1; id <= 30; id++) if (random(2) === 0) headers.set(id, id - (id % 5))
    const cache = new VolumeGroupCache()
    cache.beginScan()
    const listed = [...headers.keys()]
    while (listed.length > 0) {
      const act = random(4)
      const id = 1 + random(30)
      const parent = id - (id % 5)
      if (act === 0 && headers.has(id)) {
        headers.delete(id)
        cache.remove(parent, id)
      } else if (act === 1 && !headers.has(id)) {
        headers.set(id, parent)
        cache.add(parent, id)
      } else {
        const next = listed.pop() ?? 0
        const found = headers.get(next)
        if (found !== undefined) cache.found(found, next)
      }
    }
    cache.endScan(true)
    for (const [id, parent] of headers) {
      const answer = cache.query(id)
      t.true(
        answer.kind === "group" && answer.parent === parent && answer.members.includes(id),
        `round ${round}, ${id}`,
      )
    }
    t.is(cache.size, headers.size)
  }
})
