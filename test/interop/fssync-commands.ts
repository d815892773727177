/** Every command of `dafs fssync`, to dafileserver and to our fileserver: the same answers, but for what is listed. */
import { accessOverRx } from "../support/afs-access.ts"
import { type Cell, sharedCell, wholeCell } from "../support/cell.ts"
import { inPlaceOf } from "../support/in-place-of.ts"
import { builtProgram } from "../support/project.ts"
import { needsCell } from "../support/requirements.ts"
import { createWithBackup, type VolumeWithBackup } from "../support/volume-with-backup.ts"

const cell = sharedCell(...wholeCell)

/** In an order in which each has an effect; `V` is a read-write volume, `B` its backup. */
const commands = [
  "list",
  "query --volumeid V",
  "header --volumeid V",
  "volop --volumeid V",
  "query --volumeid 4711",
  "query --volumeid V --partition b",
  "vnode --volumeid V --vnodeid 1 --unique 1 --partition a",
  "offline --volumeid V --partition a",
  "volop --volumeid V",
  "query --volumeid V",
  "online --volumeid V --partition a",
  "mode --volumeid V --partition a --mode CLONE",
  "volop --volumeid V",
  "mode --volumeid B --partition a --mode V_DUMP",
  "online --volumeid B --partition a",
  "leaveoff --volumeid V --partition a",
  "online --volumeid V --partition a",
  "move --volumeid V --partition a --address 10.99.0.9",
  "online --volumeid V --partition a",
  "detach --volumeid 4711 --partition a",
  "callback --volumeid V",
  "callback --volumeid 4711",
  "error --volumeid V --partition a",
  "query --volumeid V",
  "online --volumeid V --partition a",
  "attach --volumeid V --partition a --only-register",
  "vgcscan --partition a",
  "vgcscanall",
  "vgcscan --partition z",
  "vgcadd --parent V --child 4711 --partition a",
  "vgcdel --parent V --child 4711 --partition a",
  "vgcdel --child 4711 --partition a",
  "vgcquery --volumeid 4711 --partition a",
  "stats general",
  "stats pkg",
  "stats vicep --partition a",
  "stats vicep --partition z",
  "stats hash --bucket 5",
  "stats hash --bucket 5000",
  "stats hdr",
] as const

/** Only our fileserver has these; dafileserver does not know their commands, or (VLRU) never answers in full. */
const ownCommands = ["status", "listvolumes", "get --volumeid V", "stats vlru --generation new"] as const

type Facts = ReadonlyMap<string, string>

/** Leaves of a JSON document, `transitions.0.to: …`. */
function flatten(value: unknown, path: string, facts: Map<string, string>): void {
  if (typeof value === "object" && value !== null)
    for (const [key, one] of Object.entries(value)) flatten(one, path === "" ? key : `${path}.${key}`, facts)
  else facts.set(path, String(value))
}

function factsOf(text: string): Facts {
  const facts = new Map<string, string>()
  try {
    flatten(JSON.parse(text), "", facts)
  } catch {
    facts.set("text", text)
  }
  return facts
}

async function answersTo(
  there: Cell,
  { rw, bk }: VolumeWithBackup,
  asked: readonly string[],
): Promise<{ status: number | null; facts: Facts }[]> {
  const answers: { status: number | null; facts: Facts }[] = []
  for (const one of asked) {
    const words = one.replace(/\bV\b/, String(rw)).replace(/\bB\b/, String(bk)).split(" ")
    const args = [builtProgram("cli/dafs.ts"), "fssync", ...words, "--json", "--timeout", "20"]
    const { status, stdout, stderr } = await there.try(process.execPath, args)
    answers.push({ status, facts: factsOf(stdout === "" ? stderr : stdout) })
  }
  return answers
}

/** How our fileserver's answers differ, and why that is as it should be. */
const deliberate: readonly RegExp[] = [
  // of moments, and of processes
  /: (payload|names)\.(\w+\.)*(last_\w+|updateTime|pid|com\.\w+|\w*Date|start_time|free|f_files) = /,
  // ours tells how the volume came to its state
  /: (payload|names)\.transitions\..* = undefined \| /,
  // lookups by FSSYNC itself are not counted as uses, and the cache of headers is of another kind
  /: payload\.(stats\.\w+|usage_bumps_outstanding|dayUse) = \d+ \| \d+$/,
  /^stats (general|pkg|hash --bucket 5|hdr): payload\./,
  // nothing of a volume that went offline stays in core
  /^query .*: payload\.nextVnodeUnique = \d+ \| 0$/,
  // tables, addresses and counters that only OpenAFS's structures have
  /^vnode .*: payload\.(hashIndex|volume) = /,
  /: payload\.cacheCheck = 1 \| 0$/,
]

needsCell.serial("dafs fssync: every command is answered by dafileserver as by our fileserver", async (t) => {
  t.timeout(180_000)
  const there = cell()
  const volumes = await createWithBackup(there, "one")
  const { rw } = volumes
  t.deepEqual(await accessOverRx(there, [rw]), [0])
  const theirs = await answersTo(there, volumes, commands)
  for (const { status, facts } of await answersTo(there, volumes, ownCommands)) {
    t.not(status, 0)
    t.regex(facts.get("message") ?? "", /OpenAFS|BAD_COMMAND/)
  }
  const words = ["fileserver", "--openafs", "--port", "7000"]
  const ours = await inPlaceOf(there, "fs", words, "fssync.sock", async () => {
    t.deepEqual(await accessOverRx(there, [rw]), [0])
    const answers = await answersTo(there, volumes, commands)
    for (const { status } of await answersTo(there, volumes, ownCommands)) t.is(status, 0)
    return answers
  })
  const found = commands.flatMap((command, index) => {
    const [a, b] = [theirs[index], ours[index]]
    const keys = new Set([...(a?.facts.keys() ?? []), ...(b?.facts.keys() ?? [])])
    const differences = [...keys]
      .filter((key) => a?.facts.get(key) !== b?.facts.get(key))
      .map((key) => `${command}: ${key} = ${a?.facts.get(key)} | ${b?.facts.get(key)}`)
    return a?.status === b?.status ? differences : [`${command}: status ${a?.status} | ${b?.status}`, ...differences]
  })
  t.is(found.filter((difference) => !deliberate.some((known) => known.test(difference))).join("\n"), "")
})
