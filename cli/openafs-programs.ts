/**
 * Our programs under the names and switches of OpenAFS's, for those who start OpenAFS's: bosserver and scripts. A switch
 * has one dash, may be shortened as far as it stays the only one that begins so, and is turned into options of ours, dropped
 * where it only tunes what we do not have (threads, buffers), or refused where leaving it out would change who may do what.
 * OpenAFS cmd/cmd.c, viced/viced.c, volser/volmain.c, vol/salvaged.c, vol/salvager.c.
 */
import { openafsDirectories } from "../common/cell/directories.ts"
import { fullPartitionName } from "../common/partition/partition.ts"

/** What a switch becomes: words of ours, made of its values. */
type Translation = (...values: string[]) => readonly string[]

interface Switch {
  /** Values that follow it: none, one, perhaps one, or any number. */
  readonly takes: "none" | "one" | "maybe" | "many"
  /** Undefined: refused. */
  readonly becomes: Translation | undefined
}

type Switches = Readonly<Record<string, Switch>>

/** One of OpenAFS's programs. */
interface Program {
  readonly switches: Switches
  /** The command line of ours for these words; `has` tells which switches were given. */
  readonly start: (words: readonly string[], has: (name: string) => boolean) => readonly string[]
  /** Exit status for a command line that makes no sense, as the program's own. */
  readonly usageStatus: number
}

const nothing: Translation = () => []
const dropped = (takes: Switch["takes"], ...names: string[]): Switches =>
  Object.fromEntries(names.map((name) => [name, { takes, becomes: nothing }]))
const refused = (takes: Switch["takes"], ...names: string[]): Switches =>
  Object.fromEntries(names.map((name) => [name, { takes, becomes: undefined }]))
const flag = (option: string): Switch => ({ takes: "none", becomes: () => [`--${option}`] })
const value = (option: string): Switch => ({ takes: "one", becomes: (word = "") => [`--${option}`, word] })

/** OpenAFS's levels of detail (0, 1, 5, 25, 125) as ours. */
const logLevel: Switch = {
  takes: "one",
  becomes: (level = "0") => ["--log-level", Number(level) >= 25 ? "trace" : Number(level) >= 1 ? "debug" : "info"],
}

/** "all", "all4" (disks at a time) or a number. */
const parallel: Switch = {
  takes: "one",
  becomes(word = "") {
    const number = /\d+$/.exec(word)?.[0]
    return number === undefined ? [] : ["--parallel", number]
  },
}

const partition: Switch = { takes: "one", becomes: (name = "") => ["--partition", fullPartitionName(name)] }

const logging: Switches = {
  d: logLevel,
  logfile: value("logfile"),
  ...dropped("maybe", "syslog"),
  ...dropped("none", "transarc-logs", "mrafslogs", "log"),
}

const network: Switches = {
  ...dropped("none", "nojumbo", "rxdbg", "rxdbge", "enable_peer_stats", "enable_process_stats", "rxbind"),
  ...dropped("none", "allow-dotted-principals"),
  ...dropped("one", "udpsize"),
}

const fileserverSwitches: Switches = {
  ...logging,
  ...network,
  jumbo: flag("jumbo"),
  rxmaxmtu: value("rxmaxmtu"),
  config: value("config-dir"),
  cb: value("cb"),
  vlruthresh: value("vlruthresh"),
  vlruinterval: value("vlruinterval"),
  vlrumax: value("vlrumax"),
  vlrudisable: flag("vlrudisable"),
  "offline-timeout": value("offline-timeout"),
  "offline-shutdown-timeout": value("offline-shutdown-timeout"),
  ...dropped("none", "L", "S", "banner", "saneacls", "nobusy", "fs-state-dont-save", "fs-state-dont-restore", "novbc"),
  ...dropped("one", "b", "vc", "l", "s", "sendsize", "hr", "vattachpar", "abortthreshold", "busyat", "w", "p"),
  ...dropped("one", "vhandle-setaside", "vhandle-max-cachesize", "vhandle-initial-cachesize", "fs-state-verify"),
  ...dropped("one", "vhashsize", "rxpck", "sync"),
  ...refused("none", "readonly", "admin-write", "unsafe-nosalvage"),
  ...refused("one", "implicit", "spare", "pctspare", "auditlog", "audit-interface"),
  ...refused("many", "realm"),
}

const volserverSwitches: Switches = {
  ...logging,
  ...network,
  p: value("parallel"),
  ...dropped("none", "jumbo", "clear-vol-stats"),
  ...dropped("one", "rxmaxmtu", "sleep", "sync", "config", "s2scrypt"),
  ...refused("one", "auditlog", "audit-interface", "restricted_query"),
}

const salvagerSwitches: Switches = {
  partition,
  volumeid: value("volumeid"),
  parallel,
  orphans: value("orphans"),
  logfile: value("logfile"),
  ...dropped("none", "debug", "oktozap", "blockreads", "syslog", "transarc-logs", "datelogs", "forceDAFS"),
  ...dropped("one", "tmpdir", "syslogfacility"),
  ...refused("none", "inodes", "rootinodes", "showsuid", "showmounts"),
}

const logOf = (name: string): readonly string[] => ["--logfile", `${openafsDirectories.logs}/${name}`]
const unless = (given: boolean, words: readonly string[]): readonly string[] => (given ? [] : words)

const programs: Readonly<Record<string, Program>> = {
  dafileserver: {
    switches: fileserverSwitches,
    start: (words) => ["fileserver", "--openafs", "--port", "7000", ...words],
    usageStatus: 255,
  },
  davolserver: {
    switches: volserverSwitches,
    start: (words, has) => ["volserver", ...unless(has("logfile"), logOf("VolserLog")), ...words],
    usageStatus: 1,
  },
  salvageserver: {
    switches: { ...salvagerSwitches, ...dropped("none", "nowrite", "salvagedirs", "client") },
    start: (words, has) =>
      has("client")
        ? ["salvage", "salvage", "--wait", ...words]
        : ["salvageserver", ...unless(has("logfile"), logOf("SalsrvLog")), ...words],
    usageStatus: 6,
  },
  dasalvager: {
    switches: {
      ...salvagerSwitches,
      force: flag("force"),
      f: flag("force"),
      nowrite: flag("nowrite"),
      salvagedirs: flag("salvagedirs"),
      showlog: flag("showlog"),
    },
    start: (words, has) => [
      "salvager",
      ...unless(has("logfile"), logOf("SalvageLog")),
      ...unless(has("orphans"), ["--orphans", "ignore"]),
      ...words,
    ],
    usageStatus: 6,
  },
}

export const openafsPrograms: readonly string[] = Object.keys(programs)

/** A command line that the program of OpenAFS would not take, or that we will not. */
export class LaunchError extends Error {
  readonly status: number

  constructor(message: string, status: number) {
    super(message)
    this.status = status
  }
}

function findSwitch(name: string, program: Program, word: string): [string, Switch] {
  const { switches, usageStatus } = program
  const bare = word.slice(1)
  const exact = switches[bare]
  if (exact !== undefined) return [bare, exact]
  const matching = Object.entries(switches).filter(([full]) => bare !== "" && full.startsWith(bare))
  const [only, ...others] = matching
  if (only !== undefined && others.length === 0) return only
  throw new LaunchError(
    `${name}: Unrecognized or ambiguous switch '${word}'; type '${name} -help' for detailed help`,
    usageStatus,
  )
}

const isSwitch = (word: string | undefined): boolean => word !== undefined && /^-[a-zA-Z]/.test(word)

/** How many of the words behind a switch are its values. */
function valuesBehind(takes: Switch["takes"], rest: readonly string[]): number {
  if (takes === "none") return 0
  const end = rest.findIndex(isSwitch)
  const most = takes === "many" ? rest.length : 1
  return Math.min(most, end < 0 ? rest.length : end)
}

interface Translated {
  readonly words: readonly string[]
  readonly given: ReadonlySet<string>
}

function translateSwitches(name: string, program: Program, words: readonly string[]): Translated {
  const made: string[] = []
  const given = new Set<string>()
  for (let at = 0; at < words.length; ) {
    const [full, { takes, becomes }] = findSwitch(name, program, words[at] ?? "")
    const count = valuesBehind(takes, words.slice(at + 1))
    if (takes === "one" && count === 0) throw new LaunchError(`${name}: -${full} wants a value`, program.usageStatus)
    if (becomes === undefined) throw new LaunchError(`${name}: -${full} is not supported by dafs`, program.usageStatus)
    made.push(...becomes(...words.slice(at + 1, at + 1 + count)))
    given.add(full)
    at += 1 + count
  }
  return { words: made, given }
}

/** What `-help` prints. */
export function usageOf(name: string): string {
  const shown = Object.entries(programs[name]?.switches ?? {})
    .filter(([, { becomes }]) => becomes !== undefined)
    .map(([full, { takes }]) => (takes === "none" ? `[-${full}]` : `[-${full} <value>]`))
  return `Usage: ${[name, ...shown, "[-help]"].join(" ")}\n`
}

/**
 * The command line of `dafs` that does what a program of OpenAFS does with these words; undefined: only its usage is wanted.
 * @throws LaunchError, as the program itself would refuse it
 */
export function launchWords(name: string, words: readonly string[]): readonly string[] | undefined {
  const program = programs[name]
  if (program === undefined) throw new LaunchError(`${name}: one of ${openafsPrograms.join(", ")} is wanted`, 2)
  // the salvagers' only subcommand, which may be said or left out
  const switches = words[0] === "initcmd" ? words.slice(1) : words
  if (switches.includes("-help")) return undefined
  const translated = translateSwitches(name, program, switches)
  return program.start(translated.words, (full) => translated.given.has(full))
}
