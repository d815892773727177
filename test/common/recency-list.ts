import test from "ava"
import { type Ranked, RecencyList } from "../../common/recency-list.ts"
import { fuzz } from "../support/random.ts"

class Item implements Ranked<Item> {
  older: Item | undefined
  newer: Item | undefined
  weight: number
  constructor(weight: number) {
    this.weight = weight
  }
}

function inOrder(list: RecencyList<Item>): Item[] {
  const items: Item[] = []
  for (let item = list.oldest; item !== undefined; item = item.newer) items.push(item)
  return items
}

test("recency list: things stand in the order of their last use, and their weights are summed", (t) => {
  const [a, b, c] = [new Item(1), new Item(2), new Item(4)]
  const list = new RecencyList<Item>()
  for (const item of [a, b, c]) list.add(item)
  list.touch(a)
  t.deepEqual(inOrder(list), [b, c, a])
  list.remove(c)
  t.deepEqual(inOrder(list), [b, a])
  list.reweigh(b, 10)
  t.is(list.weight, 11)
})

test("recency list: the thing just given may leave the list or be used again", (t) => {
  const [a, b, c] = [new Item(1), new Item(1), new Item(1)]
  const list = new RecencyList<Item>()
  for (const item of [a, b, c]) list.add(item)
  const seen: Item[] = []
  for (const item of list) {
    seen.push(item)
    if (item === a) list.remove(a)
    if (item === c) break
    if (item === b) list.touch(b)
  }
  t.deepEqual(seen, [a, b, c])
  t.deepEqual([...list], [c, b])
})

test("recency list: random use leaves the order that an array has", (t) => {
  fuzz(t, (random) => {
    const list = new RecencyList<Item>()
    const model: Item[] = []
    for (let step = 0; step < 50; step++) {
      const at = random.below(model.length + 1)
      const item = model[at] ?? new Item(random.below(9))
      const isNew = at === model.length
      const leaves = !isNew && random.below(3) === 0
      if (!isNew) model.splice(at, 1)
      if (!leaves) model.push(item)
      if (isNew) list.add(item)
      else if (leaves) list.remove(item)
      else list.touch(item)
    }
    t.deepEqual(inOrder(list), model)
    t.is(
      list.weight,
      model.reduce((sum, { weight }) => sum + weight, 0),
    )
  })
})
