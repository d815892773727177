import test, { type ExecutionContext } from "ava"
import { isWatched, openProgressBar } from "../../../common/cli/progress.ts"

/** Lets standard error be a terminal, or none, and keeps what is written to it; until the test ends. */
function watchStderr(t: ExecutionContext, isTerminal: boolean): () => string {
  const { stderr } = process
  const before = Object.getOwnPropertyDescriptor(stderr, "isTTY")
  const write = stderr.write
  let written = ""
  Object.defineProperty(stderr, "isTTY", { value: isTerminal, configurable: true })
  stderr.write = (text: string | Uint8Array): boolean => {
    written += String(text)
    return true
  }
  t.teardown(() => {
    stderr.write = write
    if (before === undefined) Reflect.deleteProperty(stderr, "isTTY")
    else Object.defineProperty(stderr, "isTTY", before)
  })
  return () => written
}

test.serial("nothing is shown where standard error is no terminal", (t) => {
  const written = watchStderr(t, false)
  t.false(isWatched())
  t.is(openProgressBar("dump"), undefined)
  t.is(written(), "")
})

test.serial("a bar shows title, share and amount in readable units, and leaves nothing behind", (t) => {
  const written = watchStderr(t, true)
  {
    using bar = openProgressBar("dump of home.ann")
    bar?.report({ unit: "bytes", done: 0, total: 4 << 20 })
    bar?.report({ unit: "bytes", done: 1 << 20, total: 4 << 20 })
  }
  t.regex(written(), /dump of home\.ann \[.*\] 25% 1\.0 MiB of 4\.0 MiB/)
  t.regex(written(), /\[(K|0?K|2K)[^\n]*$/)
})

test.serial("more than the whole is shown as the whole", (t) => {
  const written = watchStderr(t, true)
  using bar = openProgressBar("clone")
  bar?.report({ unit: "vnodes", done: 12, total: 10 })
  t.regex(written(), /100% 12 vnodes of 10 vnodes/)
})

test.serial("an unknown whole gives a counter", (t) => {
  const written = watchStderr(t, true)
  using bar = openProgressBar("restore")
  bar?.report({ unit: "bytes", done: 1536, total: undefined })
  t.regex(written(), /restore 1\.5 KiB/)
  bar?.stop()
  t.true(written().endsWith("\r\x1b[K"))
})
