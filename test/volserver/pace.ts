import test from "ava"
import { Pace, type Progress } from "../../volserver/pace.ts"

const progress: Progress = { unit: "bytes", done: 1, total: 2 }

/** Calls until the pace wants a turn. */
function untilTurn(pace: Pace): Promise<void> {
  for (;;) {
    const turn = pace.step(progress)
    if (turn !== undefined) return turn
  }
}

test("pace: work goes on without a promise, until it has lasted a while", async (t) => {
  const pace = new Pace()
  t.is(pace.step(progress), undefined)
  let turned = false
  setImmediate(() => {
    turned = true
  })
  await untilTurn(pace)
  t.true(turned)
})

test("pace: progress is reported now and then", async (t) => {
  const reports: Progress[] = []
  const pace = new Pace({ report: (report) => reports.push(report) })
  t.true(pace.isWatched)
  t.false(new Pace().isWatched)
  await untilTurn(pace)
  t.deepEqual(reports, [progress])
})

test("pace: a raised signal ends the work at the next turn, but not the taking back", async (t) => {
  const controller = new AbortController()
  const pace = new Pace({ signal: controller.signal })
  controller.abort()
  await t.throwsAsync(untilTurn(pace), { code: "INTERRUPTED" })
  await t.notThrowsAsync(untilTurn(pace.undisturbed()))
})
