import test from "ava"
import { ChangedPages } from "../../../common/directory/changed-pages.ts"
import { pageSize } from "../../../common/directory/directory-page.ts"

/** An image whose pages are filled with their numbers. */
const image = Buffer.alloc(6 * pageSize, 0).map((_, at) => Math.floor(at / pageSize))

function changed(...pages: readonly number[]): ChangedPages {
  const subject = new ChangedPages()
  for (const page of pages) subject.add(page)
  return subject
}

/** First page and number of pages of each change. */
const shown = (changes: ReturnType<ChangedPages["takeInOrder"]>): (readonly [number, number])[] =>
  changes.map(({ offset, bytes }) => [offset / pageSize, bytes.length / pageSize] as const)

test("changed pages: in the order of their first change, each once", (t) => {
  const pages = changed(4, 2, 0, 4, 0, 2)
  t.deepEqual([...pages.numbers], [4, 2, 0])
  t.deepEqual(shown(pages.takeInOrder(image)), [
    [4, 1],
    [2, 1],
    [0, 1],
  ])
  t.deepEqual([...pages.numbers], [])
  t.deepEqual(pages.takeInOrder(image), [])
})

test("changed pages: taken in order they are one change if all lie side by side, taken ascending each row of them is one", (t) => {
  t.deepEqual(shown(changed(3, 1, 2).takeInOrder(image)), [[1, 3]])
  t.deepEqual(shown(changed(3, 0, 5, 4).takeInOrder(image)), [
    [3, 1],
    [0, 1],
    [5, 1],
    [4, 1],
  ])
  t.deepEqual(shown(changed(3, 0, 5, 4).takeAscending(image)), [
    [0, 1],
    [3, 3],
  ])
  t.deepEqual(changed().takeAscending(image), [])
})

test("changed pages: what was taken is a copy of its own", (t) => {
  const bytes = Buffer.from(image)
  const [change] = changed(2).takeInOrder(bytes)
  bytes.fill(9)
  t.true(change?.bytes.every((byte) => byte === 2))
})
