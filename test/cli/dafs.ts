/** The command line of `dafs` as a whole: words that it cannot use. */
import test from "ava"
import { runDafs } from "../support/spawned.ts"

const refused: readonly (readonly [words: readonly string[], text: RegExp])[] = [
  [["vos"], /see dafs vos --help/],
  [["vos", "bogus"], /See dafs vos --help/],
  [["fssync", "stats"], /see dafs fssync stats --help/],
  [["constructor"], /constructor: wrong arguments/],
  [["vos", "constructor"], /See dafs vos --help/],
  [["vos", "examine", "a.volume", "--partition"], /--partition needs a value/],
  [["vos", "examine", "a.volume", "--partition", "", "--offline"], /the partition's path is empty/],
  [["salvager", "--partition", ""], /the partition's path is empty/],
  [["locks", "--partition", ""], /the partition's path is empty/],
  [["salvager", "--partition", "/nowhere", "--nowrite=yes"], /--nowrite takes true or false, not yes/],
  [["salvager", "--partition", "/nowhere", "--volumeid"], /--volumeid needs a value/],
  [["salvager", "-partition"], /--partition needs a value/],
  [["volinfo", "--partition", "a", "--partition", "b"], /--partition is given twice/],
  [["volinfo", "--partition", "/nowhere", "--volumeid"], /--volumeid needs a value/],
  [["fssync", "query", "--volumeid", ""], /--volumeid takes a number, not ""/],
  [["fssync", "query", "--volumeid", "5", "--state-dir", ""], /--state-dir is empty/],
  [["vos", "listvol", "--partition.a", "b"], /Unknown argument: partition\.a/],
  [["vos", "--name", "create", "listvol"], /Unknown argument: name/],
  [["salvage", "request"], /Missing required arguments: partition, volumeid/],
  [["salvage", "query", "--volumeid", "4294967296", "--partition", "a"], /--volumeid: a number from 1 to 4294967295/],
  [["salvage", "priority", "--volumeid", "5", "--partition", "a", "--priority", "-1"], /--priority: a number from 0/],
  [["salvage", "history", "--count", "0"], /--count: a number of at least 1/],
  [["volserver", "--parallel", "0"], /--parallel needs a number of at least 1/],
  [["salvageserver", "--parallel", "-1"], /--parallel needs a number of at least 1/],
  [["salvager", "--partition", "/nowhere", "--volumeid", "1.5"], /--volumeid 1.5 is no volume id/],
  [["salvager", "--partition", "/nowhere", "--undo-days", "-1"], /--undo-days needs a number of at least 0/],
  [["start", "--dir", "/nonexistent/x", "--port", "65536"], /--port 65536: 0 to 65535 is wanted/],
  [["install-launchers", ""], /the directory's path is empty/],
]

test("dafs: what cannot be meant is wrong usage, and the help that tells more is named", async (t) => {
  t.timeout(120_000)
  for (const [words, text] of refused) {
    const { status, stderr } = await runDafs(words)
    t.is(status, 2, words.join(" "))
    t.regex(stderr, text, words.join(" "))
  }
})
