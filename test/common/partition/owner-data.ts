import test from "ava"
import { decodeOwner, encodeOwner, ownerIs } from "../../../common/partition/owner-data.ts"
import { seededRandom } from "../../support/random.ts"

test("owner data: the worked examples, ids above 2^31 among them", (t) => {
  t.deepEqual(encodeOwner({ parameter: 0x2000_0006, number: 1 }), { uid: 6, gid: 16_384, mode: 0o1 })
  t.deepEqual(encodeOwner({ parameter: 0x8000_0005, number: 1 }), { uid: 5, gid: 0, mode: 0o21 })
  const modes = [1, 2, 3, 6].map((number) => encodeOwner({ parameter: 0xf000_0001, number }))
  t.deepEqual(modes, [
    { uid: 1, gid: 24_576, mode: 0o31 },
    { uid: 1, gid: 24_576, mode: 0o32 },
    { uid: 1, gid: 24_576, mode: 0o33 },
    { uid: 1, gid: 24_576, mode: 0o36 },
  ])
  t.deepEqual(encodeOwner({ parameter: 0x4000_0000, number: 0 }), { uid: 0, gid: 0, mode: 0o10 })
  t.deepEqual(encodeOwner({ parameter: 0, number: 0 }), { uid: 0, gid: 0, mode: 0 })
  t.deepEqual(encodeOwner({ parameter: 0xffff_ffff, number: 7 }), { uid: 0x7fff, gid: 0x7fff, mode: 0o37 })
})

test("owner data: every parameter and number comes back, unsigned", (t) => {
  const random = seededRandom(t)
  for (let round = 0; round < 20_000; round++) {
    const data = { parameter: random.below(2 ** 32), number: random.below(8) }
    t.deepEqual(decodeOwner(encodeOwner(data)), data)
  }
})

test("owner data: what is not part of it is not read", (t) => {
  t.deepEqual(decodeOwner({ uid: 6, gid: 16_384, mode: 0o7741 }), { parameter: 0x2000_0006, number: 1 })
  t.deepEqual(decodeOwner({ uid: 0x1_0006, gid: 16_384, mode: 0o1 }), { parameter: 0x2000_0006, number: 1 })
})

test("owner data: a file has it only if owner, group and permissions are just so", (t) => {
  const data = { parameter: 0x2000_0006, number: 1 }
  t.true(ownerIs({ uid: 6, gid: 16_384, mode: 0o1 }, data))
  t.false(ownerIs({ uid: 7, gid: 16_384, mode: 0o1 }, data))
  t.false(ownerIs({ uid: 6, gid: 16_385, mode: 0o1 }, data))
  t.false(ownerIs({ uid: 6, gid: 16_384, mode: 0o2 }, data))
  t.false(ownerIs({ uid: 6, gid: 16_384, mode: 0o21 }, data))
  t.false(ownerIs({ uid: 6, gid: 16_384, mode: 0o641 }, data))
  t.false(ownerIs({ uid: 0x1_0006, gid: 16_384, mode: 0o1 }, data))
})
