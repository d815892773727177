import test from "ava"
import { nullSecurity } from "../../../../common/rx/security/null.ts"

test("null security: nothing is added, asked or believed", (t) => {
  const { index, headerSize, trailerSize, isTransparent, isAuthenticated } = nullSecurity
  t.deepEqual([index, headerSize, trailerSize, isTransparent, isAuthenticated], [0, 0, 0, true, true])
  const nothing = new Uint8Array(0)
  t.throws(() => nullSecurity.challenge(true), { message: /no challenge/ })
  t.throws(() => nullSecurity.verify(nothing), { message: /no challenge/ })
  t.throws(() => nullSecurity.respond(nothing), { message: /no challenge/ })
})
