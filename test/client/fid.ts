import test from "ava"
import { fidText, isDirectoryFid, namesOf, parseFid, parseTarget, rootOf } from "../../client/fid.ts"
import { isAfsError } from "../../common/error.ts"

test("fid: its text is volume, vnode and uniquifier", (t) => {
  const fid = { Volume: 536870915, Vnode: 4, Unique: 7 }
  t.is(fidText(fid), "536870915.4.7")
  t.deepEqual(parseFid("536870915.4.7"), fid)
  t.deepEqual(parseFid("4294967295.1.1")?.Volume, 4294967295)
  for (const text of ["", "1.2", "1.2.3.4", "1.2.x", "-1.2.3", "4294967296.1.1", " 1.2.3"])
    t.is(parseFid(text), undefined, text)
  t.true(isDirectoryFid(rootOf(5)))
  t.false(isDirectoryFid(fid))
})

test("target: a volume's path begins at its root, a fid's at that directory", (t) => {
  t.deepEqual(parseTarget("5:a/b"), { base: rootOf(5), names: [Buffer.from("a"), Buffer.from("b")] })
  t.deepEqual(parseTarget("5:"), { base: rootOf(5), names: [] })
  t.deepEqual(parseTarget("5:/"), { base: rootOf(5), names: [] })
  t.deepEqual(parseTarget("5"), { base: rootOf(5), names: [] })
  t.deepEqual(parseTarget("5.3.9"), { base: { Volume: 5, Vnode: 3, Unique: 9 }, names: [] })
  t.deepEqual(parseTarget("5.3.9:x:y"), { base: { Volume: 5, Vnode: 3, Unique: 9 }, names: [Buffer.from("x:y")] })
})

test("target: other words are usage errors that say what is wanted", (t) => {
  for (const text of ["", "home", "home:x", "5.3:x", "4294967296:", ":x"]) {
    const error = t.throws(() => parseTarget(text), undefined, text)
    t.true(isAfsError(error, "USAGE"), text)
  }
})

test("names: slashes at the ends and in a row mean nothing, names are UTF-8", (t) => {
  t.deepEqual(namesOf("//a///b/"), [Buffer.from("a"), Buffer.from("b")])
  t.deepEqual(namesOf("\u00fc"), [Buffer.from([0xc3, 0xbc])])
})
