import test from "ava"
import { isAfsError } from "../../common/error.ts"
import { encodeAccessList } from "../../common/vnode/access-list.ts"
import { accessListFromWire, accessListToWire } from "../../fileserver/acl-text.ts"
import type { Protection } from "../../fileserver/protection.ts"
import { wellKnownProtection } from "../../fileserver/well-known-protection.ts"

const wellKnown = wellKnownProtection({ has: () => false })
const wire = (text: string): Buffer => Buffer.from(`${text}\0`, "latin1")
const area = encodeAccessList({
  positive: [
    { id: 1001, rights: 20 },
    { id: -101, rights: 127 },
  ],
  negative: [{ id: -206, rights: 2 }],
})
const text = "2\n1\nsystem:anyuser\t127\n1001\t20\n-206\t2\n"

/** The same, later, as over a network. */
const distant: Protection = {
  ...wellKnown,
  idsOf: async (names) => await wellKnown.idsOf(names),
  namesOf: async (ids) => await wellKnown.namesOf(ids),
}

test("access lists for clients: entries go out by id, and come back to the same list, now or later", async (t) => {
  t.deepEqual(accessListToWire(area, wellKnown), wire(text))
  t.deepEqual(accessListFromWire(wire(text), wellKnown), area)
  t.deepEqual(await accessListToWire(area, distant), wire(text))
  t.deepEqual(await accessListFromWire(wire(text), distant), area)
})

test("access lists for clients: an empty list is one, and bytes behind the list stay", (t) => {
  const over = new Uint8Array(192).fill(0xee)
  const stored = accessListFromWire(wire("0\n0\n"), wellKnown, over)
  t.deepEqual(accessListToWire(Buffer.from(stored as Uint8Array), wellKnown), wire("0\n0\n")) // nobody was asked over a network
  t.is((stored as Uint8Array)[191], 0xee)
})

test("access lists for clients: a name that nobody has is EINVAL, and so is anonymous", async (t) => {
  for (const name of ["nobody.known", "anonymous", "32766"]) {
    const bad = wire(`1\n0\n${name}\t1\n`)
    t.true(
      isAfsError(
        t.throws(() => accessListFromWire(bad, wellKnown)),
        "EINVAL",
      ),
      name,
    )
    t.true(isAfsError(await t.throwsAsync(async () => await accessListFromWire(bad, distant)), "EINVAL"), name)
  }
})

test("access lists for clients: names too long for the protocol are E2BIG", (t) => {
  const many = Array.from({ length: 20 }, (_, index) => ({ id: 1000 + index, rights: 127 }))
  const full = encodeAccessList({ positive: many, negative: [] })
  const longNames: Protection = { ...wellKnown, namesOf: (ids) => ids.map((id) => `${"x".repeat(50)}${id}`) }
  t.true(
    isAfsError(
      t.throws(() => accessListToWire(full, longNames)),
      "E2BIG",
    ),
  )
  t.is((accessListToWire(full, wellKnown) as Uint8Array).length, 5 + 20 * 9 + 1) // nobody was asked over a network
})
