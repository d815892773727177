import test from "ava"
import { requireNewName, requireSameVolume } from "../../fileserver/new-name.ts"

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1")

test("new names: what clients could not reach, or a salvager takes for damage, is refused", (t) => {
  for (const name of ["", "/", "a/b", "@sys", "x@sys"])
    t.throws(() => requireNewName(bytes(name)), { code: "EINVAL" }, JSON.stringify(name))
  t.throws(() => requireNewName(Buffer.alloc(256, "x")), { code: "ENAMETOOLONG" })
})

test("new names: everything else may be one", (t) => {
  for (const name of ["a", "@sysx", "@SYS", "a\nb", "\u00ff", " ", "x".repeat(255)])
    t.notThrows(() => requireNewName(bytes(name)), JSON.stringify(name))
})

test("new names: two volumes are a matter for nobody", (t) => {
  t.throws(() => requireSameVolume({ Volume: 1 }, { Volume: 2 }), { code: "EXDEV" })
  t.notThrows(() => requireSameVolume({ Volume: 1 }, { Volume: 1 }))
})
