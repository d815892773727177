import test from "ava"
import { callFollowers, callStateNumbers } from "../../../common/rx/call-state.ts"

test("call state: the states follow one another as drawn, and all end in reset", (t) => {
  for (const [state, followers] of Object.entries(callFollowers))
    t.is(followers.includes("reset"), state !== "reset", state)
  t.deepEqual(Object.keys(callStateNumbers).sort(), Object.keys(callFollowers).sort())
})
