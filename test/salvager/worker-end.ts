import test from "ava"
import { judgeEnd, pauseAfter } from "../../salvager/worker-end.ts"

const mute = { outcome: undefined, errorCode: undefined, lastWords: undefined }
const outcome = (status: string) => ({ status, counts: {}, files: 0 })

test("worker end: status 0 is a salvage, and so is that of a clone that was linked to its group", (t) => {
  t.deepEqual(judgeEnd(0, null, mute), { kind: "done" })
  t.deepEqual(judgeEnd(10, null, mute), { kind: "done" })
})

test("worker end: a kill, a lost fileserver and a volume that somebody has are no failures of the volume", (t) => {
  t.like(judgeEnd(null, "SIGKILL", mute), {
    kind: "brokenOff",
    cause: "killed",
    why: "the worker was killed by SIGKILL",
  })
  const lost = { ...mute, errorCode: "UNREACHABLE", lastWords: "no answer" }
  t.like(judgeEnd(1, null, lost), { kind: "brokenOff", cause: "noFileserver" })
  t.like(judgeEnd(11, null, { ...mute, outcome: outcome("busy") }), { kind: "brokenOff", cause: "busy" })
})

test("worker end: whatever else ends a worker is a failure, with its last words", (t) => {
  const end = judgeEnd(1, null, { outcome: outcome("failed"), errorCode: undefined, lastWords: "EIO: read" })
  t.deepEqual(end, { kind: "failed", why: "the worker ended with status 1: EIO: read" })
})

test("worker end: a killed worker is followed at once, by two more and no others", (t) => {
  t.deepEqual(
    [1, 2, 3, 4].map((count) => pauseAfter("killed", count)),
    [0, 1_000, undefined, undefined],
  )
})

test("worker end: pauses for a fileserver and for a holder grow and end", (t) => {
  for (const cause of ["noFileserver", "busy"] as const) {
    let sum = 0
    let last = 0
    let count = 1
    for (let pause = pauseAfter(cause, count); pause !== undefined; pause = pauseAfter(cause, ++count)) {
      t.true(pause >= last)
      last = pause
      sum += pause
    }
    t.true(sum >= 50_000 && sum <= 300_000, `${cause}: ${sum} ms`)
  }
})
