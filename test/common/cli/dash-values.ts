import test from "ava"
import { joinDashes } from "../../../common/cli/dash-values.ts"

test("a lone dash behind an option is its value, anywhere else it is what it was", (t) => {
  t.deepEqual(joinDashes(["vos", "dump", "home.ann", "--file", "-", "--json"]), [
    "vos",
    "dump",
    "home.ann",
    "--file=-",
    "--json",
  ])
  t.deepEqual(joinDashes(["dump", "-", "--file=a", "-"]), ["dump", "-", "--file=a", "-"])
  t.deepEqual(joinDashes([]), [])
})
