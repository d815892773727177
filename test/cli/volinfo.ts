import { writeFileSync } from "node:fs"
import test from "ava"
import { clones, fixturePartition } from "../support/served-volumes.ts"
import { runDafs } from "../support/spawned.ts"

interface Document {
  readonly volumes: readonly { id: number; name: string; type: string; vnodes?: readonly { vnode: number }[] }[]
  readonly errors: readonly string[]
}

const parse = (text: string): Document => JSON.parse(text) as Document // what the command promises

test("dafs volinfo --json: every volume of a partition, with its vnodes if they are wanted", async (t) => {
  const { path } = fixturePartition(t, "clones", "vicepa", "development")
  const end = await runDafs(["volinfo", "--partition", path, "--json", "--vnode"])
  t.is(end.status, 0, end.stderr)
  const { volumes, errors } = parse(end.stdout)
  t.deepEqual(errors, [])
  t.like(
    volumes.find(({ id }) => id === clones.bk),
    { type: "BK" },
  )
  for (const { id, vnodes = [] } of volumes) t.is(vnodes[0]?.vnode, 1, `the root of ${id}`)
})

test("dafs volinfo: a damaged volume is an error that names its file; the others are shown", async (t) => {
  const { path } = fixturePartition(t, "clones", "vicepa", "development")
  const header = `${path}/V0${clones.ro}.vol`
  writeFileSync(header, "short")
  const end = await runDafs(["volinfo", "--partition", path, "--json"])
  t.not(end.status, 0)
  const { volumes, errors } = parse(end.stdout)
  t.is(errors.length, 1)
  t.true(errors[0]?.includes(header), errors[0])
  t.true(volumes.some(({ id }) => id === clones.rw))
  t.false(volumes.some(({ id }) => id === clones.ro))
})

test("dafs volinfo: an unknown volume, a number that is none and no partition have exit statuses of their own", async (t) => {
  const { path } = fixturePartition(t, "clones", "vicepa", "development")
  for (const [words, status] of [
    [["--partition", path, "--volumeid", "99"], 10],
    [["--partition", path, "--volumeid", "many"], 2],
    [["--partition", path, "--volumeid", "4294967296"], 2],
    [["--partition", `${path}-gone`], 10],
    [[], 2],
  ] as const) {
    const end = await runDafs(["volinfo", ...words])
    t.is(end.status, status, `${words.join(" ")}: ${end.stderr}`)
  }
})
