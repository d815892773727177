import test from "ava"
import { openProgressBar } from "../../../common/cli/progress.ts"
import { builtProgram } from "../../support/project.ts"
import { findProgram } from "../../support/requirements.ts"
import { runProgram } from "../../support/spawned.ts"

const program = builtProgram("test/common/cli/progress.program.ts")

test("progress: where standard error is no terminal nothing is shown", async (t) => {
  const { stdout, stderr } = await runProgram(process.execPath, [program, "bytes", "2048"])
  t.is(stdout, "watched false bar false\n")
  t.is(stderr, "")
  t.is(openProgressBar("test"), undefined)
})

const script = findProgram("script")
/** Runs the program on a terminal of its own. */
const onTerminal = (...words: string[]) =>
  runProgram(script ?? "", ["-qec", [process.execPath, program, ...words].join(" "), "/dev/null"])
const onlyWithScript = script === undefined ? test.skip : test

onlyWithScript("progress: on a terminal a bar shows how much of how much", async (t) => {
  const { stdout } = await onTerminal("bytes", "4096")
  t.regex(stdout, /watched true bar true/)
  t.regex(stdout, /dump \[[^\]]*\] 50% 2\.0 KiB of 4\.0 KiB/)
})

onlyWithScript("progress: what has no known end is counted", async (t) => {
  const { stdout } = await onTerminal("vnodes", "none")
  t.regex(stdout, /dump 2048 vnodes/)
})
