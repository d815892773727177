/** When a thread that scans may be ended. */
import test from "ava"
import { closeThread, newThreadState, unlessClosed } from "../../salvager/scan-task.ts"
import { ScanThreads } from "../../salvager/scan-threads.ts"

test("a thread does its work until it is closed, also after work that failed, and begins nothing more then", (t) => {
  const state = newThreadState()
  let done = 0
  t.throws(() =>
    unlessClosed(state, () => {
      throw new Error("failed")
    }),
  )
  unlessClosed(state, () => void done++)
  closeThread(state)
  unlessClosed(state, () => void done++)
  t.is(done, 1)
})

test("threads that were started for nothing are ended wherever they are in their start, and the process lives", async (t) => {
  const rounds = 12
  for (let round = 0; round < rounds; round++) {
    const threads = new ScanThreads(2)
    threads.start()
    for (let turn = 0; turn < 400 * round; turn++) await new Promise((resolve) => setImmediate(resolve))
    t.notThrows(() => threads[Symbol.dispose]())
  }
})
