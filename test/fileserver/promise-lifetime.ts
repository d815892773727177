import test from "ava"
import { endOf, isOver, lifetimeOf, toldSeconds, volumeLifetime } from "../../fileserver/promise-lifetime.ts"

const lives = (count: number): number => lifetimeOf(count, false)

test("promise lifetime: the more promises an object has, the shorter they are", (t) => {
  const hours = [0, 7, 8, 15, 16, 23, 24, 39, 40, 63, 64, 100_000].map(lives)
  t.deepEqual(hours, [14_400, 14_400, 3_600, 3_600, 1_800, 1_800, 900, 900, 600, 600, 420, 420])
})

test("promise lifetime: a bulk call's promise lasts as if the object had 22 more", (t) => {
  t.deepEqual(
    [0, 1, 2, 17, 18, 41, 42].map((count) => lifetimeOf(count, true)),
    [1_800, 1_800, 900, 900, 600, 600, 420],
  )
})

test("promise lifetime: the client is told the lifetime and at most 127 s more, the server keeps it 180 s longer", (t) => {
  for (let now = 1_795_276_731; now < 1_795_276_731 + 300; now++)
    for (const lifetime of [lives(0), lives(64), volumeLifetime]) {
      const end = endOf(now, lifetime)
      const told = toldSeconds(end, now)
      t.true(told >= lifetime && told < lifetime + 128)
      t.is(end * 128, now + told + 180)
      t.false(isOver(end, now + told + 179))
      t.true(isOver(end, now + told + 180))
    }
})

test("promise lifetime: an example that was seen on the wire", (t) => {
  // An OpenAFS fileserver answered a CreateFile of this second with 14459.
  t.is(toldSeconds(endOf(0x6b01_4fd1, lives(0)), 0x6b01_4fd1), 0x387b)
})
