/** The command line of `dafs` as a whole: words that it cannot use. */
import test from "ava"
import { runDafs } from "../support/spawned.ts"

const refused: readonly (readonly [words: readonly string[], text: RegExp])[] = [
  [["vos"], /see dafs vos --help/],
  [["vos", "bogus"], /See dafs vos --help/],
  [["fssync", "stats"], /see dafs fssync stats --help/],
  [["constructor"], /constructor: wrong arguments/],
  [["vos", "constructor"], /See dafs vos --help/],
  [["vos", "examine", "a.volume", "--partition"], /--partition: which one\?/],
  [["vos", "examine", "a.volume", "--partition", "", "--offline"], /the partition's path is empty/],
  [["salvager", "--partition", ""], /the partition's path is empty/],
  [["locks", "--partition", ""], /the partition's path is empty/],
]

test("dafs: what cannot be meant is wrong usage, and the help that tells more is named", async (t) => {
  t.timeout(120_000)
  for (const [words, text] of refused) {
    const { status, stderr } = await runDafs(words)
    t.is(status, 2, words.join(" "))
    t.regex(stderr, text, words.join(" "))
  }
})
