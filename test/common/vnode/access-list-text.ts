import test from "ava"
import { isAfsError } from "../../../common/error.ts"
import { formatAccessList, parseAccessList } from "../../../common/vnode/access-list-text.ts"
import { seededRandom } from "../../support/random.ts"

const wire = (text: string): Buffer => Buffer.from(text, "latin1")

test("access list text: it is what OpenAFS's fileserver sends, NUL included", (t) => {
  const anybody = { positive: [{ name: "system:anyuser", rights: 127 }], negative: [] }
  t.deepEqual(formatAccessList(anybody), wire("1\n0\nsystem:anyuser\t127\n\0"))
  t.deepEqual(parseAccessList(wire("1\n0\nsystem:anyuser\t127\n\0")), anybody)
  const mixed = { positive: [{ name: "alice", rights: 20 }], negative: [{ name: "bob", rights: -1 }] }
  t.deepEqual(formatAccessList(mixed), wire("1\n1\nalice\t20\nbob\t-1\n\0"))
  t.deepEqual(parseAccessList(formatAccessList(mixed)), mixed)
})

test("access list text: an empty list is one", (t) => {
  t.deepEqual(parseAccessList(wire("0\n0\n\0")), { positive: [], negative: [] })
})

test("access list text: what lies behind the NUL, or behind the last entry, does not count", (t) => {
  t.is(parseAccessList(wire("1\n0\nann\t1\nbob\t2\n\0rest")).positive.length, 1)
})

test("access list text: blanks separate a name from its rights as well as a tab does", (t) => {
  t.deepEqual(parseAccessList(wire("1\n0\nann 1\n\0")), parseAccessList(wire("1\n0\nann\t1\n\0")))
})

test("access list text: bad syntax is EINVAL, and so are more than 20 entries", (t) => {
  const entry = "x\t1\n"
  const wrong = [
    "",
    "1\n0\nann\t1\n",
    "1\n0\nann1\n\0",
    "1\n0\nann\t1\0",
    "2\n0\nann\t1\n\0",
    "-1\n1\nann\t1\n\0",
    "x\n0\n\0",
    "1\n0\n\t1\n\0",
    "1\n0\nann\tq\n\0",
    `21\n0\n${entry.repeat(21)}\0`,
    `999999999\n0\n${entry}\0`,
  ]
  for (const text of wrong) {
    const error = t.throws(() => parseAccessList(wire(text)), undefined, JSON.stringify(text))
    t.true(isAfsError(error, "EINVAL"), JSON.stringify(text))
  }
  t.is(parseAccessList(wire(`20\n0\n${entry.repeat(20)}\0`)).positive.length, 20)
})

test("access list text: any bytes give a list or EINVAL", (t) => {
  const random = seededRandom(t)
  const pieces = ["1\n", "0\n", "system:anyuser", "\t", "127\n", "\0", "-5", "20\n", " ", "\n"]
  for (let round = 0; round < 2_000; round++) {
    const text = Array.from({ length: random.below(9) }, () => pieces[random.below(pieces.length)] ?? "").join("")
    try {
      const list = parseAccessList(wire(text))
      t.true(list.positive.length + list.negative.length <= 20)
    } catch (error) {
      t.true(isAfsError(error, "EINVAL"), JSON.stringify(text))
    }
  }
})
