/** What a terminal shows of a salvage. */
import test from "ava"
import { secondsLeft } from "../../salvager/job-view.ts"
import { phaseText } from "../../salvager/progress-line.ts"

const phase = { type: "phase", group: 5, phase: "directories", files: 700 } as const

test("progress: phase and amount, rate and time left as soon as they can be told", (t) => {
  t.is(phaseText({ ...phase, done: 0, total: 0 }, 1000, 9000), "group 5: directories, 700 data files")
  t.is(phaseText({ ...phase, done: 0, total: 400 }, 1000, 1000), "group 5: directories, 0 of 400")
  t.is(phaseText({ ...phase, done: 100, total: 400 }, 1000, 3000), "group 5: directories, 100 of 400 (50/s, 6 s left)")
})

test("progress: nobody can tell how long an unknown amount takes", (t) => {
  t.is(secondsLeft({ phase: "scan", done: 0, total: 9, since: 0 }, 5000), undefined)
  t.is(secondsLeft({ phase: "scan", done: 5, total: 0, since: 0 }, 5000), undefined)
  t.is(secondsLeft({ phase: "scan", done: 9, total: 9, since: 0 }, 5000), 0)
})
