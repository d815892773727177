import test from "ava"
import {
  type Generation,
  generations,
  type LruMember,
  lruDefaults,
  VolumeLru,
} from "../../../common/volume/volume-lru.ts"
import { seededRandom } from "../../support/random.ts"

interface Volume extends LruMember<Volume> {
  readonly name: string
  isIdle: boolean
}

const volume = (name: string): Volume => ({
  name,
  generation: "none",
  lastGet: 0,
  lastPromote: 0,
  isIdle: true,
  older: undefined,
  newer: undefined,
  weight: 1,
})

const second = 1000
const minute = 60 * second
const hour = 60 * minute

/** Moves the clock through every tick up to `end` and tells what was to be done when. */
function run(
  lru: VolumeLru<Volume>,
  clock: { now: number },
  end: number,
): { at: number; detach: string[]; demoted: string[] }[] {
  const done: { at: number; detach: string[]; demoted: string[] }[] = []
  while (lru.nextTick <= end) {
    clock.now = Math.max(clock.now, lru.nextTick)
    const work = lru.tick(clock.now)
    for (const member of work.detach) lru.remove(member)
    if (work.detach.length + work.demoted.length === 0) continue
    const names = (members: readonly Volume[]): string[] => members.map((member) => member.name)
    done.push({ at: clock.now, detach: names(work.detach), demoted: names(work.demoted) })
  }
  clock.now = end
  return done
}

/** Volumes of these tests are attached a little after the start, as in life. */
const joined = 20 * second
const short = { thresholdMs: minute, intervalMs: 4 * second, max: 3 }

test("VLRU: generations have OpenAFS's numbers", (t) => {
  const wanted: Record<Generation, number> = { new: 0, mid: 1, old: 2, candidate: 3, held: 4, none: 5 }
  t.deepEqual({ ...generations }, wanted)
  t.deepEqual(lruDefaults, { thresholdMs: 7_200_000, intervalMs: 120_000, max: 8 })
})

test("VLRU: an idle volume is detached after the threshold, with threshold 60 s and interval 4 s in the third minute", (t) => {
  const clock = { now: 0 }
  const lru = new VolumeLru<Volume>(short, 0)
  const idle = volume("idle")
  lru.add(idle, joined)
  t.is(idle.generation, "new")
  t.deepEqual(run(lru, clock, 119 * second), [], "the scanner sleeps for T and a minute first")
  const [done] = run(lru, clock, 3 * minute)
  t.deepEqual(done?.detach, ["idle"])
  // first scan 2·I after the first sleep, first pass after it
  t.is(done?.at, 128 * second)
  t.is(idle.generation, "none")
})

test("VLRU: at most `max` volumes are detached at a time, longest unused first", (t) => {
  const clock = { now: 0 }
  const lru = new VolumeLru<Volume>(short, 0)
  const names = ["a", "b", "c", "d", "e", "f", "g"]
  const volumes = new Map(names.map((name) => [name, volume(name)]))
  for (const member of volumes.values()) lru.add(member, joined)
  const again = volumes.get("a")
  if (again !== undefined) lru.access(again, 25 * second)
  const passes = run(lru, clock, 4 * minute).map((pass) => pass.detach.join(""))
  t.deepEqual(passes, ["bcd", "efg", "a"])
})

test("VLRU: passes come every interval, scans every 2 intervals or an eighth of the threshold", (t) => {
  const times = (options: typeof short, end: number): number[] => {
    const clock = { now: 0 }
    const lru = new VolumeLru<Volume>(options, 0)
    for (let index = 0; index < 20; index++) lru.add(volume(`v${index}`), joined)
    return run(lru, clock, end).map((pass) => pass.at)
  }
  t.deepEqual(
    times({ ...short, max: 5 }, 5 * minute),
    [128, 132, 136, 140].map((at) => at * second),
  )
  // defaults: T/I = 60 > 16, so a scan every T/8 = 900 s after T + 60 s; the pass of that moment takes the first
  const first = 7_260_000 + 900_000
  t.is(times(lruDefaults, 6 * hour)[0], first + 60_000, "the pass every 120 s that follows the first scan")
})

test("VLRU: a volume in use is never a candidate and never detached", (t) => {
  const clock = { now: 0 }
  const lru = new VolumeLru<Volume>(short, 0)
  const busy = { ...volume("busy"), isIdle: false }
  lru.add(busy, 0)
  t.deepEqual(
    run(lru, clock, 10 * minute).flatMap((pass) => pass.detach),
    [],
  )
  t.not(busy.generation, "candidate")
})

test("VLRU: a candidate that is accessed goes back to new and is not detached", (t) => {
  const clock = { now: 0 }
  const lru = new VolumeLru<Volume>({ ...short, max: 1 }, 0)
  const first = volume("first")
  const second2 = volume("second")
  lru.add(first, joined)
  lru.add(second2, joined)
  t.deepEqual(
    run(lru, clock, 128 * second).map((pass) => pass.detach),
    [["first"]],
  )
  t.is(second2.generation, "candidate")
  lru.access(second2, clock.now)
  t.is(second2.generation, "new")
  t.deepEqual(
    run(lru, clock, clock.now + short.thresholdMs - 1).flatMap((pass) => pass.detach),
    [],
  )
})

test("VLRU: a candidate that got a user meanwhile is passed over", (t) => {
  const clock = { now: 0 }
  const lru = new VolumeLru<Volume>({ ...short, max: 1 }, 0)
  const [a, b] = [volume("a"), volume("b")]
  lru.add(a, joined)
  lru.add(b, joined)
  run(lru, clock, 128 * second)
  b.isIdle = false
  t.deepEqual(
    run(lru, clock, 140 * second).flatMap((pass) => pass.detach),
    [],
  )
  b.isIdle = true
  t.deepEqual(
    run(lru, clock, 150 * second).flatMap((pass) => pass.detach),
    ["b"],
  )
})

/** With T = 60 s: seen of OpenAFS 1.8.9 at 220 s and 460 s of constant use of a volume attached 20 s after the start. */
test("VLRU: constant use promotes a volume to mid at 2T and to old at 4T ticks", (t) => {
  const lru = new VolumeLru<Volume>(short, 0)
  const used = volume("used")
  const seen: string[] = []
  for (let now = 20 * second; now <= 500 * second; now += second) {
    if (used.generation === "none") lru.add(used, now)
    lru.access(used, now)
    const before = used.generation
    if (now >= lru.nextTick) lru.tick(now)
    if (used.generation !== before) seen.push(`${(now - 20 * second) / second} s: ${before} to ${used.generation}`)
  }
  t.deepEqual(seen, ["220 s: new to mid", "460 s: mid to old"])
})

test("VLRU: a volume that fell out of use stays until a 4T tick, falls through the generations, is reported once and detached", (t) => {
  const clock = { now: 0 }
  const lru = new VolumeLru<Volume>(short, 0)
  const once = volume("once")
  lru.add(once, 0)
  for (let now = 0; now <= 480 * second; now += second) {
    clock.now = now
    lru.access(once, now)
    if (now >= lru.nextTick) lru.tick(now)
  }
  t.is(once.generation, "old")
  t.deepEqual(run(lru, clock, 20 * minute), [{ at: 960 * second, detach: ["once"], demoted: ["once"] }])
})

test("VLRU: removing a volume takes it out of whatever generation it is in", (t) => {
  const lru = new VolumeLru<Volume>(short, 0)
  const member = volume("x")
  lru.remove(member)
  lru.add(member, 0)
  lru.add(member, 1)
  t.is(lru.count("new"), 1)
  lru.remove(member)
  t.is(lru.count("new"), 0)
  t.is(member.generation, "none")
  lru.access(member, 2)
  t.is(member.generation, "none", "an access to a volume that is not attached changes no generation")
})

test("VLRU: members of a generation are listed longest unused first", (t) => {
  const lru = new VolumeLru<Volume>(short, 0)
  const [a, b, c] = [volume("a"), volume("b"), volume("c")]
  for (const member of [a, b, c]) lru.add(member, 0)
  lru.access(a, 1)
  t.deepEqual(
    lru.members("new").map((member) => member.name),
    ["b", "c", "a"],
  )
  t.deepEqual(lru.members("none"), [])
  t.deepEqual(lru.members("held"), [])
})

test("VLRU: after any walk of accesses, uses and time every member is in exactly one generation", (t) => {
  const random = seededRandom(t).below
  const clock = { now: 0 }
  const lru = new VolumeLru<Volume>(short, 0)
  const volumes = Array.from({ length: 40 }, (_, index) => volume(`v${index}`))
  for (let step = 0; step < 5000; step++) {
    const member = volumes[random(volumes.length)]
    if (member === undefined) continue
    clock.now += random(5 * second)
    const act = random(5)
    if (act === 0) lru.add(member, clock.now)
    else if (act === 1) lru.remove(member)
    else if (act === 2) lru.access(member, clock.now)
    else if (act === 3) member.isIdle = random(2) === 0
    else
      for (const gone of lru.tick(clock.now).detach) {
        t.true(gone.isIdle && gone.lastGet + short.thresholdMs <= clock.now)
        lru.remove(gone)
      }
  }
  const all: Generation[] = ["new", "mid", "old", "candidate"]
  for (const member of volumes) {
    const found = all.filter((generation) => lru.members(generation).includes(member))
    t.deepEqual(found, member.generation === "none" ? [] : [member.generation])
  }
})
