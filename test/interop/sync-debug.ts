/** Every command of OpenAFS's dafssync-debug and salvsync-debug, to OpenAFS's servers and to ours: the same answers. */
import type { ExecutionContext } from "ava"
import { accessOverRx } from "../support/afs-access.ts"
import { sharedCell, wholeCell } from "../support/cell.ts"
import { inPlaceOf } from "../support/in-place-of.ts"
import { needsCell } from "../support/requirements.ts"
import { differences, type Transcript, transcriptOf } from "../support/sync-debug.ts"
import { createWithBackup, type VolumeWithBackup } from "../support/volume-with-backup.ts"

const cell = sharedCell(...wholeCell)

const unknown = 4711
const everyTarget = ["query", "header", "volop", "offline", "online", "leaveoff", "detach", "move", "attach"] as const
const modes = [1, 2, 3, 4, 5, 6, 7]

/** On volumes that are known and not attached. */
const preattached = ({ rw, bk }: VolumeWithBackup): string[] => [
  `list -volumeid ${rw} -partition /vicepa`,
  ...[rw, bk].flatMap((id) => [`query -volumeid ${id}`, `header -volumeid ${id}`, `volop -volumeid ${id}`]),
  ...["pkg", "vicep -arg1 a", "vicep -arg1 z", "hash -arg1 5", "hash -arg1 5000", "hdr", "vlru -arg1 0"].map(
    (words) => `stats -cmd ${words}`,
  ),
  `online -volumeid ${rw} -partition a`,
  ...everyTarget.flatMap((verb) => [
    `${verb} -volumeid ${unknown} -partition /vicepa`,
    `${verb} -volumeid ${rw} -partition /vicepb`,
    `${verb} -volumeid ${rw} -partition /vicepz`,
  ]),
  // a command for a partition that the volume is not on may have moved it: back
  `online -volumeid ${rw} -partition /vicepa`,
  `online -volumeid ${bk} -partition /vicepa`,
  ...everyTarget.flatMap((verb) => [`${verb} -volumeid ${rw} -partition /vicepa`, `query -volumeid ${rw}`]),
  // who has gone has given back, unless it is the operator (type 5): at dafileserver a checkout stays
  ...[2, 6, 1, 3, 4, 7, 5, 99].flatMap((type) => [
    `offline -volumeid ${rw} -partition /vicepa -programtype ${type}`,
    `online -volumeid ${rw} -partition /vicepa -programtype ${type}`,
  ]),
  `offline -volumeid ${rw} -partition /vicepa`,
  ...[2, 6, 4, 99].flatMap((type) =>
    ["offline", "mode", "online", "leaveoff", "attach"].map(
      (verb) => `${verb} -volumeid ${rw} -partition /vicepa -reason 3 -programtype ${type}`,
    ),
  ),
  `volop -volumeid ${rw}`,
  `leaveoff -volumeid ${rw} -partition /vicepa`,
  `online -volumeid ${rw} -partition /vicepa`,
  ...modes.flatMap((mode) => [
    `mode -volumeid ${rw} -partition /vicepa -reason ${mode}`,
    `volop -volumeid ${rw}`,
    `query -volumeid ${rw}`,
    `online -volumeid ${rw} -partition /vicepa`,
  ]),
  `callback -volumeid ${rw} -partition /vicepa`,
  `callback -volumeid ${unknown}`,
  `error -volumeid ${unknown} -partition /vicepa`,
  `error -volumeid ${rw} -partition /vicepb`,
  `error -volumeid ${rw}`,
  `error -volumeid ${rw} -partition /vicepa`,
  ...everyTarget.filter((verb) => verb !== "online").map((verb) => `${verb} -volumeid ${rw} -partition /vicepa`),
  `online -volumeid ${rw} -partition /vicepa`,
]

/** On the volume group cache. */
const groups = ({ rw, bk }: VolumeWithBackup): string[] => [
  `vgcquery -volumeid ${rw} -partition /vicepa`,
  "stats -cmd hdr; sleep 0.5",
  ...[rw, bk, unknown].map((id) => `vgcquery -volumeid ${id} -partition /vicepa`),
  `vgcquery -volumeid ${rw} -partition /vicepz`,
  `vgcadd -parent ${rw} -child ${unknown} -partition /vicepa`,
  `vgcquery -volumeid ${unknown} -partition /vicepa`,
  `vgcadd -parent ${rw} -child ${unknown} -partition /vicepz`,
  `vgcdel -parent ${rw} -child ${unknown} -partition /vicepa`,
  `vgcquery -volumeid ${unknown} -partition /vicepa`,
  "vgcscan -partition /vicepa; sleep 0.5",
  "vgcscan -partition /vicepz",
  "vgcscanall; sleep 0.5",
  `vgcquery -volumeid ${bk} -partition /vicepa`,
]

/** On attached volumes. */
const attached = ({ rw, bk }: VolumeWithBackup): string[] => [
  ...[rw, bk].flatMap((id) => [`query -volumeid ${id}`, `header -volumeid ${id}`, `volop -volumeid ${id}`]),
  `vnode -volumeid ${rw} -vnodeid 1 -unique 1 -partition /vicepa`,
  "stats -cmd pkg",
  "stats -cmd hdr",
  ...["leaveoff", "detach", "move"].map((verb) => `${verb} -volumeid ${rw} -partition /vicepa`),
  ...[rw, bk].flatMap((id) => [
    `mode -volumeid ${id} -partition /vicepa -reason 2`,
    `volop -volumeid ${id}`,
    `query -volumeid ${id}`,
    `offline -volumeid ${id} -partition /vicepa -programtype 2`,
    `online -volumeid ${id} -partition /vicepa`,
    `query -volumeid ${id}`,
  ]),
]

/** Attaches the volumes, as clients' accesses do. */
type Attach = (volumes: readonly number[]) => Promise<void>

async function recordFileserver(volumes: VolumeWithBackup, attach: Attach): Promise<Transcript> {
  const tool = "dafssync-debug"
  const first = await transcriptOf(cell(), tool, [...preattached(volumes), ...groups(volumes)])
  await attach([volumes.rw, volumes.bk])
  const then = await transcriptOf(cell(), tool, attached(volumes))
  return new Map([...first, ...[...then].map(([name, lines]) => [`attached: ${name}`, lines] as const)])
}

/** Commands of a tool that look something up in the tool itself. */
const ofTheTool = ["apropos", "help", "version"]

/** Every command that the tool has was asked. */
async function requireAll(t: ExecutionContext, tool: string, commands: Iterable<string>): Promise<void> {
  const { stdout, stderr } = await cell().try(tool, ["help"])
  const known = [...(stdout + stderr).matchAll(/^(\w+) {2,}/gm)].map(([, name = ""]) => name)
  t.true(known.length > 5)
  const asked = new Set([...commands].map((words) => words.replace("attached: ", "").split(/[ ;]/)[0]))
  t.deepEqual(
    known.filter((name) => !asked.has(name) && !ofTheTool.includes(name)),
    [],
    `${tool}: never asked`,
  )
}

function report(t: ExecutionContext, found: readonly string[]): void {
  t.deepEqual(found, [], found.join("\n"))
}

/** How our fileserver's answers differ, and why that is as it should be. */
const deliberate: readonly RegExp[] = [
  // members come in the order in which they were found, which nobody may rely on
  /^vgcquery -volumeid \d+ -partition \/vicepa( #\d)?: \d+ \| \d+$/,
  // lookups by FSSYNC itself are not counted as uses, and the cache of headers is of another kind
  /: (hash_lookups|hash_looks|hash_short_circuits|hdr_gets|hdr_loads|hdr_cache_size|free|used|attached) = /,
  // addresses and tables that only OpenAFS's structure has
  /query .*: (handle|bitmap|bitmapSize|bitmapOffset|linkHandle|diskDataHandle|cacheCheck) = /,
  // nothing of a volume that went offline stays in core
  /query .*: nextVnodeUnique = \d+ \| nextVnodeUnique = 0$/,
  /query .*: updateTime = SOME TIME \| updateTime = NEVER$/,
  // both counted the one access that each had, ours second
  /^attached: header .*: dayUse = 1 \| dayUse = 2$/,
  // dafileserver counts below zero
  /: vol_state_count\[VOL_STATE_UNATTACHED\] = -\d+ \| vol_state_count\[VOL_STATE_UNATTACHED\] = 0$/,
  // addresses, tables and counters of uses that only OpenAFS's structure has
  /^attached: vnode .*: (next|prev|lruNext|lruPrev|volumePtr|hashIndex|nUsers|cacheCheck|handle|vcp|vn_state_cv|writer|vid_hash.*) = /,
]

needsCell.serial("dafssync-debug: our fileserver answers every command as dafileserver does", async (t) => {
  t.timeout(120_000)
  const there = cell()
  const volumes = await createWithBackup(there, "one")
  const access = async (ids: readonly number[]): Promise<void> => {
    t.deepEqual(await accessOverRx(there, ids), [0, 0])
  }
  const theirs = await recordFileserver(volumes, access)
  const ours = await inPlaceOf(cell(), "fs", ["fileserver", "--port", "7000"], "fssync.sock", () =>
    recordFileserver(volumes, access),
  )
  t.true(theirs.size > 150)
  await requireAll(t, "dafssync-debug", theirs.keys())
  report(t, differences(theirs, ours, deliberate))
})

/** On the salvage server; the volume is salvaged in between. */
const salvages = ({ rw, bk }: VolumeWithBackup): string[] => [
  "stats",
  `query -volumeid ${rw} -partition /vicepa`,
  `cancel -volumeid ${rw} -partition /vicepa`,
  `salvage -volumeid ${rw} -partition /vicepz`,
  `query -volumeid ${rw} -partition /vicepz`,
  `salvage -volumeid ${rw} -partition /vicepa -priority 3`,
  `stats; for i in {1..600}; do salvsync-debug query -volumeid ${rw} -partition /vicepa 2>&1 | grep -q DONE && break; sleep 0.1; done`,
  `query -volumeid ${rw} -partition /vicepa`,
  `salvage -volumeid ${bk} -partition /vicepa`,
  `stats; for i in {1..600}; do salvsync-debug query -volumeid ${bk} -partition /vicepa 2>&1 | grep -q DONE && break; sleep 0.1; done`,
  `query -volumeid ${bk} -partition /vicepa`,
  `raiseprio -volumeid ${unknown} -partition /vicepz -priority 7`,
  `cancel -volumeid ${rw} -partition /vicepa`,
  "kill",
  "stats",
]

needsCell.serial("salvsync-debug: our salvage server answers every command as OpenAFS's does", async (t) => {
  t.timeout(120_000)
  const there = cell()
  const rw = await there.volumeId("one")
  const volumes = { rw, bk: rw + 2 }
  await there.stop("sal")
  await there.start("sal")
  const record = (): Promise<Transcript> => transcriptOf(there, "salvsync-debug", salvages(volumes))
  const theirs = await record()
  const ours = await inPlaceOf(cell(), "sal", ["salvageserver"], "salvsync.sock", record)
  const known = [
    // OpenAFS's remembers every name of a partition that it was ever given; ours does not grow by that
    / -partition \/vicepz/,
    // how much of a new request is done when the next command asks is a matter of processors; and OpenAFS's starts the
    // salvage of a clone's group while the worker that found it a clone still runs,
    /^stats; .*: ([sp]q)_len = \d \| \1_len = \d$/,
    // and counts it as a request for the group; our worker has the whole group already
    /^cancel .* #2: prio = 0 \| prio = 3$/,
  ]
  report(t, differences(theirs, ours, known))
  await requireAll(t, "salvsync-debug", theirs.keys())
  t.true(theirs.size > 10)
})
