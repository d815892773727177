import test from "ava"
import { partFor, runKinds } from "../../packing/run-kinds.ts"

test("run kinds: the longest beginning of a command line that has code of its own counts", (t) => {
  const parts = { "": "all", salvager: "salvager", "launch dasalvager": "launched" }
  t.is(partFor(parts, ["salvager", "--partition", "a"]), "salvager")
  t.is(partFor(parts, ["launch", "dasalvager", "-all"]), "launched")
  t.is(partFor(parts, ["launch", "davolserver"]), "all")
  t.is(partFor(parts, ["constructor"]), "all")
  t.is(partFor(parts, []), "all")
  t.is(partFor({ salvager: "salvager" }, ["vos"]), undefined)
})

test("run kinds: what was recorded with the same switches comes before what was not", (t) => {
  t.deepEqual(runKinds([], ["vos", "dump", "a"]), ["dump", ""])
  t.deepEqual(runKinds([], ["locks"]), [""])
  const switched = ["--max-semi-space-size=4 --port", "--max-semi-space-size=4", "--port", ""]
  t.deepEqual(runKinds(["--max-semi-space-size=4"], ["fileserver", "--port", "0"]), switched)
})
