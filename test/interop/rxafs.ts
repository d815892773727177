/**
 * Our fileserver answers its clients as dafileserver does: the same scenarios against both, in one cell, on volumes that are
 * alike, compared field by field. Where we differ on purpose is listed here.
 */
import type { ExecutionContext } from "ava"
import { type Cell, cellAddress, sharedCell, wholeCell } from "../support/cell.ts"
import { requireSound, startOurs } from "../support/fuse-work.ts"
import { builtProgram } from "../support/project.ts"
import { needsCell } from "../support/requirements.ts"
import type { Transcript } from "../support/rxafs-scenarios.ts"
import { spawnProgram } from "../support/spawned.ts"

const cell = sharedCell(...wholeCell)

type Transcripts = Readonly<Record<string, Transcript | string>>

const names = ["files", "names", "access", "promises", "quota", "source"] as const

async function createVolumes(site: Cell, prefix: string, partition: "a" | "b"): Promise<string[]> {
  const words: string[] = []
  for (const name of names) words.push(`${name}=${await site.createVolume(`${prefix}.${name}`, partition)}`)
  await site.vos("setfields", `${prefix}.quota`, "-maxquota", "20", "-noauth")
  const source = `${prefix}.source`
  await site.vos("addsite", cellAddress, partition, source, "-noauth")
  await site.vos("release", source, "-noauth")
  return [...words, `replica=${await site.volumeId(`${source}.readonly`)}`]
}

async function transcripts(site: Cell, volumes: readonly string[]): Promise<Transcripts> {
  const program = builtProgram("test/interop/rxafs.program.ts")
  return JSON.parse(await site.exec("node", program, cellAddress, "7000", ...volumes)) as Transcripts
}

/** What is so by decision: a description, OpenAFS's answer, ours. docs/serving.md tells why. */
const differences = [
  ["links of a directory after a rename over an empty one in it", 4, 3],
  ["the one that was replaced", 0, 102],
  ["a name of 256 bytes", 0, 49_733_411],
] as const

function compare(t: ExecutionContext, theirs: Transcripts, ours: Transcripts): void {
  for (const [name, wanted] of Object.entries(theirs)) {
    const found = ours[name]
    t.true(Array.isArray(wanted), `${name} at dafileserver: ${String(wanted)}`)
    t.true(Array.isArray(found), `${name} at ours: ${String(found)}`)
    if (name !== "where the servers differ") t.deepEqual(found, wanted, name)
  }
}

needsCell.serial(
  "every operation, error, right and break is as dafileserver's, field by field, but for the listed differences",
  async (t) => {
    t.timeout(240_000)
    const site = cell()
    const theirVolumes = await createVolumes(site, "theirs", "b")
    const ourVolumes = await createVolumes(site, "ours", "a")
    const theirs = await transcripts(site, theirVolumes)
    await site.stop("fs")
    await startOurs(site)
    const ours = await transcripts(site, ourVolumes)
    compare(t, theirs, ours)
    const of = (found: Transcripts) => {
      const lines = found["where the servers differ"]
      return typeof lines === "object" ? lines.map(({ step, answer }) => [step, answer]) : []
    }
    t.deepEqual(
      of(theirs),
      differences.map(([step, answer]) => [step, answer]),
    )
    t.deepEqual(
      of(ours),
      differences.map(([step, , answer]) => [step, answer]),
    )
    await site.stop("vol", "fs")
    await requireSound(t, site)
  },
)

needsCell.serial(
  "a client sees a volume offline, busy and gone as it is, and is told of each change of its state",
  async (t) => {
    t.timeout(120_000)
    const site = cell()
    await startOurs(site)
    await site.start("vol")
    const volume = await site.createVolume("watched", "a")
    const program = builtProgram("test/interop/rxafs-watcher.program.ts")
    const words = ["exec", site.directory, "node", program, cellAddress, "7000", String(volume)]
    const watching = spawnProgram(t, site.script, words)
    await watching.line(/^code 0$/)
    const place = [cellAddress, "a", "watched", "-noauth"]
    await site.vos("offline", ...place)
    await site.vos("online", ...place)
    await site.vos("backup", "watched", "-noauth")
    await site.vos("move", "watched", cellAddress, "a", cellAddress, "b", "-noauth")
    await site.vos("remove", "-id", "watched", "-noauth")
    const lines = (await watching.ended).stdout.trim().split("\n")
    const codes = lines.filter((line) => line.startsWith("code"))
    t.deepEqual(
      codes.filter((line) => !["code 0", "code 106", "code 110", "code 103"].includes(line)),
      [],
    )
    t.is(codes.at(-1), "code 103")
    t.true(lines.includes("break volume 0 0"), lines.join(", "))
    await site.stop("vol", "fs")
  },
)
