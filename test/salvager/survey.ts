/** Which volumes a partition has. */
import { execFileSync } from "node:child_process"
import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { openPartition } from "../../common/partition/partition.ts"
import { Survey } from "../../salvager/survey.ts"
import { base, patchBytes } from "../support/patch.ts"
import { damagedPartition } from "../support/salvaged.ts"

const surveyOf = (directory: string): Survey => new Survey(openPartition(directory))
const header = (directory: string, id: number): string => join(directory, `V0${id}.vol`)

test("survey: groups with their volumes, whether their read-write volume is there or not", (t) => {
  const survey = surveyOf(damagedPartition(t, "base"))
  t.deepEqual(survey.allGroups(), [base.ann.rw, base.proj.rw, base.docs, base.sw.group])
  t.deepEqual(survey.membersOf(base.ann.rw), Object.values(base.ann))
  t.deepEqual(survey.membersOf(base.sw.group), [base.sw.ro])
  t.is(survey.groupOf(base.ann.bk), base.ann.rw)
  t.is(survey.groupOf(base.sw.ro), base.sw.group)
  t.is(survey.groupOf(4711), 4711)
})

/** OpenAFS's salvager believes the header, and removes it as one without data. */
test("survey: where a volume's files lie decides about its group, not what its header says", (t) => {
  const directory = damagedPartition(t, "base")
  patchBytes(header(directory, base.ann.ro), 12, 4, (bytes) => bytes.writeUInt32LE(base.proj.rw))
  rmSync(header(directory, base.ann.bk))
  truncateSync(header(directory, base.ann.rw), 10)
  const survey = surveyOf(directory)
  for (const id of Object.values(base.ann)) t.is(survey.groupOf(id), base.ann.rw)
  t.deepEqual(survey.membersOf(base.ann.rw), Object.values(base.ann))
  t.deepEqual(survey.membersOf(base.proj.rw), Object.values(base.proj))
})

test("survey: a header without any data is a group's, so that somebody deals with it", (t) => {
  const directory = damagedPartition(t, "base")
  rmSync(join(directory, "AFSIDat", "7", "7+++U"), { recursive: true })
  writeFileSync(header(directory, 536_879_999), "not a header")
  const survey = surveyOf(directory)
  t.true(survey.allGroups().includes(base.docs))
  t.true(survey.allGroups().includes(536_879_999))
  t.deepEqual(survey.membersOf(base.docs), [base.docs])
})

// One pipe under a header's name ended the salvage of the whole partition.
test("survey: what is no file under a header's name is a header that cannot be read, a link to a folder none", (t) => {
  const directory = damagedPartition(t, "base")
  for (const [id, target] of [
    [536_879_990, "/"],
    [536_879_991, "/nowhere"],
    [536_879_992, "V0536879992.vol"],
  ] as const)
    symlinkSync(target, header(directory, id))
  execFileSync("mkfifo", [header(directory, 536_879_993), header(directory, 536_879_994)])
  rmSync(header(directory, base.docs))
  execFileSync("mkfifo", [header(directory, base.docs)])
  const survey = surveyOf(directory)
  const unreadable = survey.headers.filter((file) => file.header === undefined).map(({ volume }) => volume)
  t.deepEqual(unreadable, [base.docs, 536_879_992, 536_879_993, 536_879_994])
  t.is(survey.headers.length, 7 + 3)
  t.deepEqual(survey.membersOf(base.docs), [base.docs])
})

test("survey: folders that are no group's are not taken for one", (t) => {
  const directory = damagedPartition(t, "base")
  mkdirSync(join(directory, "AFSIDat", "7", "lost+found"))
  mkdirSync(join(directory, "AFSIDat", "notes"))
  renameSync(join(directory, "AFSIDat", "E", "E+++U"), join(directory, "AFSIDat", "7", "E+++U"))
  t.deepEqual([...surveyOf(directory).groups.keys()].sort(), [base.ann.rw, base.proj.rw, base.docs])
})

test("survey: a new look at one group sees what has changed there", (t) => {
  const directory = damagedPartition(t, "base")
  const survey = surveyOf(directory)
  t.is(survey.headers.length, 7)
  rmSync(header(directory, base.ann.bk))
  rmSync(header(directory, base.docs))
  const fresh = survey.forGroup(base.ann.rw)
  t.false(fresh.headers.some(({ volume }) => volume === base.ann.bk))
  t.true(
    fresh.headers.some(({ volume }) => volume === base.docs),
    "another group's is as it was",
  )
})
