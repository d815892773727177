import test from "ava"
import { unique, vnodeNumber, volumeId } from "../../common/ids.ts"

const makers = { volumeId, vnodeNumber, unique }

test("ids: every unsigned 32-bit number is one, also above 2^31", (t) => {
  for (const make of Object.values(makers)) {
    for (const number of [0, 1, 536_870_918, 2 ** 31, 4_026_531_841, 2 ** 32 - 1]) t.is(Number(make(number)), number)
  }
})

test("ids: what does not fit in 32 bits is refused, with a word on what it was for", (t) => {
  for (const wrong of [-1, 2 ** 32, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => volumeId(wrong), { instanceOf: RangeError, message: `volume id ${wrong} is not in 0..4294967295` })
    t.throws(() => vnodeNumber(wrong), { instanceOf: RangeError, message: /^vnode number/ })
    t.throws(() => unique(wrong), { instanceOf: RangeError, message: /^uniquifier/ })
  }
})
