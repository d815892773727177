import test from "ava"
import { NumberTable } from "../../salvager/number-table.ts"
import { seededRandom } from "../support/random.ts"

test("number table: what was set is found, what was not is -1, also for 0 and the greatest numbers", (t) => {
  const table = new NumberTable()
  t.is(table.get(0), -1)
  for (const [position, key] of [0, 1, 0xffff_ffff, 0x8000_0000].entries()) table.set(key, position)
  t.deepEqual(
    [0, 1, 0xffff_ffff, 0x8000_0000, 2].map((key) => table.get(key)),
    [0, 1, 2, 3, -1],
  )
  table.set(1, 99)
  t.is(table.get(1), 99)
  t.is(table.size, 4)
})

test("number table: it agrees with a map however many numbers are in it", (t) => {
  const random = seededRandom(t)
  const table = new NumberTable()
  const map = new Map<number, number>()
  for (let round = 0; round < 5000; round++) {
    const key = random.below(2) === 0 ? random.below(3000) : random.below(2 ** 32)
    table.set(key, round)
    map.set(key, round)
  }
  t.is(table.size, map.size)
  for (const [key, position] of map) t.is(table.get(key), position)
  for (let round = 0; round < 1000; round++) {
    const key = random.below(2 ** 32)
    t.is(table.get(key), map.get(key) ?? -1)
  }
})

test("number table: room that was made beforehand changes nothing, also where it was too little", (t) => {
  for (const room of [0, 1, 32, 1000]) {
    const table = new NumberTable()
    table.reserve(room)
    for (let key = 0; key < 100; key++) table.set(key * 7, key)
    table.reserve(room)
    for (let key = 0; key < 100; key++) t.is(table.get(key * 7), key)
    t.is(table.get(5), -1)
    t.is(table.size, 100)
  }
})

test("number table: a run of every other number is set as if each had been, with room for all of it, a part or none", (t) => {
  for (const room of [0, 10, 30, 1000]) {
    const table = new NumberTable()
    table.reserve(room)
    table.setRun(3, 40, 7)
    table.set(4, 100)
    for (let index = 0; index < 40; index++) t.is(table.get(3 + 2 * index), 7 + index)
    t.deepEqual([table.get(4), table.get(6), table.get(83), table.size], [100, -1, -1, 41])
  }
})
