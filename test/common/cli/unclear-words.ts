/**
 * A salvage that was told `--nowrite=yes` wrote, and one whose script had an empty variable behind `--volumeid` took the whole
 * partition: yargs makes something of such words.
 */
import test from "ava"
import { type OptionKinds, unclearWord } from "../../../common/cli/unclear-words.ts"

const kinds: OptionKinds = {
  key: { help: true, nowrite: true, "dry-run": true, volumeid: true, partition: true, logfile: true, orphans: true },
  boolean: ["help", "nowrite", "dry-run"],
  number: ["volumeid"],
  array: ["partition"],
  alias: { nowrite: ["dry-run"] },
}
const read = (line: string): string | undefined => unclearWord(line.split(" "), kinds)

test("unclear words: a switch is said, or true or false; nothing else", (t) => {
  t.is(read("salvager --nowrite=yes"), "--nowrite takes true or false, not yes")
  t.is(read("salvager --dry-run=1"), "--dry-run takes true or false, not 1")
  t.is(read("salvager --nowrite="), "--nowrite takes true or false, not ")
  t.is(read("salvager -nowrite=no"), "--nowrite takes true or false, not no")
  for (const line of ["--nowrite", "--nowrite=true", "--nowrite=false", "--nowrite --nowrite", "--no-nowrite"])
    t.is(read(line), undefined, line)
})

test("unclear words: a value that is missing is missed, wherever the option stands", (t) => {
  for (const name of ["volumeid", "partition", "logfile", "orphans"]) {
    t.is(read(`salvager --${name}`), `--${name} needs a value`)
    t.is(read(`salvager --${name} --nowrite`), `--${name} needs a value`)
  }
  t.is(read("--partition="), "--partition needs a value")
})

test("unclear words: a number is one", (t) => {
  for (const value of ["abc", "1.2.3", "5x"])
    t.is(read(`--volumeid=${value}`), `--volumeid takes a number, not "${value}"`)
  t.is(unclearWord(["--volumeid", ""], kinds), '--volumeid takes a number, not ""')
  t.is(read("--volumeid="), '--volumeid takes a number, not ""')
  for (const line of ["--volumeid -5", "--volumeid=-.5", "--volumeid 0x10", "--volumeid 1e3"])
    t.is(read(line), undefined)
})

test("unclear words: what takes one value is given once; what takes several, as often as wanted", (t) => {
  t.is(read("--logfile a --logfile b"), "--logfile is given twice")
  t.is(read("--volumeid 5 --volumeid=5"), "--volumeid is given twice")
  t.is(read("--partition a --partition b c --partition=d"), undefined)
})

test("unclear words: unknown options, words without dashes and what follows a lone -- are not judged", (t) => {
  for (const line of ["--bogus", "--bogus=", "volumeid", "-5", "- --logfile=", "--logfile=--x", "-- --volumeid"])
    t.is(read(line), undefined, line)
})
