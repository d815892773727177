/**
 * The switches of OpenAFS's servers and salvagers, one table per program, and what each is here: words of ours; fulfilled,
 * since we do so anyway; without effect, since we have nothing that it tunes; or refused, where going on without it would
 * do what it forbids. OpenAFS viced/viced.c, volser/volmain.c, vol/salvaged.c, vol/salvager.c.
 */
import { fullPartitionName } from "../common/partition/partition.ts"

/** What a switch becomes: words of ours, made of its values. */
type Translation = (...values: string[]) => readonly string[]

export interface Switch {
  /** Values that follow it: none, one, perhaps one, or any number. */
  readonly takes: "none" | "one" | "maybe" | "many"
  readonly becomes: Translation | "fulfilled" | "without effect" | "refused"
}

export type Switches = Readonly<Record<string, Switch>>

const all =
  (becomes: Exclude<Switch["becomes"], Translation>) =>
  (takes: Switch["takes"], ...names: string[]): Switches =>
    Object.fromEntries(names.map((name) => [name, { takes, becomes }]))
const fulfilled = all("fulfilled")
const withoutEffect = all("without effect")
const refused = all("refused")
const flag = (option: string): Switch => ({ takes: "none", becomes: () => [`--${option}`] })
const value = (option: string): Switch => ({ takes: "one", becomes: (word = "") => [`--${option}`, word] })

/** OpenAFS's levels of detail (0, 1, 5, 25, 125) as ours. */
const logLevel: Switch = {
  takes: "one",
  becomes: (level = "0") => ["--log-level", Number(level) >= 25 ? "trace" : Number(level) >= 1 ? "debug" : "info"],
}

/** At least one: OpenAFS takes less for that. */
const atATime = (word: string): readonly string[] => ["--parallel", String(Math.max(1, Number.parseInt(word, 10) || 1))]

/** "all", "all4" (disks at a time) or a number. */
const parallel: Switch = {
  takes: "one",
  becomes(word = "") {
    const number = /\d+$/.exec(word)?.[0]
    return number === undefined ? [] : atATime(number)
  },
}

/** Spelled out or by its first letter; any other word is "ignore". */
const orphans: Switch = {
  takes: "one",
  becomes: (word = "") => [
    "--orphans",
    { a: "attach", attach: "attach", r: "remove", remove: "remove" }[word] ?? "ignore",
  ],
}

const partition: Switch = { takes: "one", becomes: (name = "") => ["--partition", fullPartitionName(name)] }

const logging: Switches = {
  d: logLevel,
  logfile: value("logfile"),
  ...withoutEffect("maybe", "syslog"),
  ...withoutEffect("none", "transarc-logs"),
}

const network: Switches = {
  ...fulfilled("none", "nojumbo"),
  ...withoutEffect("none", "enable_peer_stats", "enable_process_stats", "rxbind", "allow-dotted-principals"),
  ...withoutEffect("one", "udpsize", "auditlog", "audit-interface"),
}

export const fileserverSwitches: Switches = {
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
  sync: value("sync"),
  spare: value("spare"),
  pctspare: value("pctspare"),
  readonly: flag("readonly"),
  "admin-write": flag("admin-write"),
  ...fulfilled("none", "banner", "nobusy"),
  ...withoutEffect("none", "L", "S", "saneacls", "fs-state-dont-save", "fs-state-dont-restore", "novbc"),
  ...withoutEffect("none", "rxdbg", "rxdbge", "mrafslogs", "unsafe-nosalvage"),
  ...withoutEffect("one", "b", "vc", "l", "s", "sendsize", "hr", "vattachpar", "abortthreshold", "busyat", "w", "p"),
  ...withoutEffect("one", "vhandle-setaside", "vhandle-max-cachesize", "vhandle-initial-cachesize"),
  ...withoutEffect("one", "fs-state-verify", "vhashsize", "rxpck", "implicit"),
  ...withoutEffect("many", "realm"),
}

export const volserverSwitches: Switches = {
  ...logging,
  ...network,
  p: { takes: "one", becomes: (word = "") => atATime(word) },
  ...fulfilled("none", "log"),
  ...withoutEffect("none", "jumbo", "clear-vol-stats"),
  ...withoutEffect("one", "rxmaxmtu", "sleep", "sync", "config", "s2scrypt", "restricted_query"),
}

const salvages: Switches = {
  partition,
  volumeid: value("volumeid"),
  parallel,
  orphans,
  salvagedirs: flag("salvagedirs"),
  ...fulfilled("none", "blockreads"),
  ...withoutEffect("none", "debug", "oktozap", "rootinodes", "syslog"),
  ...withoutEffect("one", "tmpdir", "syslogfacility"),
  ...refused("none", "inodes"),
}

export const salvageserverSwitches: Switches = {
  ...salvages,
  logfile: value("logfile"),
  ...fulfilled("none", "client"), // chooses the command
  ...withoutEffect("none", "transarc-logs"),
  ...refused("none", "nowrite"),
}

export const salvagerSwitches: Switches = {
  ...salvages,
  force: flag("force"),
  f: flag("force"),
  nowrite: flag("nowrite"),
  showlog: flag("showlog"),
  ...fulfilled("none", "forceDAFS", "datelogs"), // datelogs names the log
  ...refused("none", "showsuid", "showmounts"),
}
