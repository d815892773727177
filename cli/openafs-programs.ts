/**
 * Our programs under the names and switches of OpenAFS's, for those who start OpenAFS's: bosserver and scripts. A switch
 * has one dash and may be shortened as far as it stays the only one that begins so; what each means is in
 * openafs-switches.ts. OpenAFS cmd/cmd.c.
 */
import { openafsDirectories } from "../common/cell/directories.ts"
import {
  fileserverSwitches,
  type Switch,
  type Switches,
  salvagerSwitches,
  salvageserverSwitches,
  volserverSwitches,
} from "./openafs-switches.ts"

/** Asks which switches were given. */
type Has = (name: string) => boolean

/** One of OpenAFS's programs. */
interface Program {
  readonly switches: Switches
  /** Switches whose values may stand without them, in this order: what `bos salvage` does. */
  readonly positional: readonly string[]
  /** The command line of ours for these words. */
  readonly start: (words: readonly string[], has: Has) => readonly string[]
  /** Exit statuses, as the program's own: for an unknown switch, */
  readonly usageStatus: number
  /** for a switch without its value, */
  readonly valueStatus: number
  /** and for whatever goes wrong later. */
  readonly failureStatus: (has: Has) => number
}

const fails = (): number => 1

/** The salvagers' log of this moment, as `-datelogs` names it. */
function datedLog(now = new Date()): string[] {
  const two = (value: number): string => String(value).padStart(2, "0")
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join("-")
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(":")
  return ["--logfile", `${openafsDirectories.logs}/SalvageLog.${day}.${time}`]
}

const programs: Readonly<Record<string, Program>> = {
  dafileserver: {
    switches: fileserverSwitches,
    positional: [],
    start: (words) => ["fileserver", "--openafs", "--port", "7000", ...words],
    usageStatus: 255,
    valueStatus: 255,
    failureStatus: fails,
  },
  davolserver: {
    switches: volserverSwitches,
    positional: [],
    start: (words) => ["volserver", "--openafs", ...words],
    usageStatus: 1,
    valueStatus: 1,
    failureStatus: fails,
  },
  salvageserver: {
    switches: salvageserverSwitches,
    positional: ["partition", "volumeid"],
    start: (words, has) =>
      has("client")
        ? ["salvage", "request", "--openafs", "--wait", ...words]
        : ["salvageserver", "--openafs", ...words],
    usageStatus: 6,
    valueStatus: 8,
    failureStatus: (has) => (has("client") ? 255 : 1),
  },
  dasalvager: {
    switches: salvagerSwitches,
    positional: ["partition", "volumeid"],
    start: (words, has) => [
      "salvager",
      "--openafs",
      ...(has("datelogs") ? datedLog() : []),
      ...(has("orphans") ? [] : ["--orphans", "ignore"]),
      ...words,
    ],
    usageStatus: 6,
    valueStatus: 8,
    failureStatus: fails,
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
  const exact = Object.hasOwn(switches, bare) ? switches[bare] : undefined
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
  readonly withoutEffect: readonly string[]
}

/** The switch that a value without one belongs to: the first of those that is not given yet. */
function switchOf(name: string, program: Program, word: string, given: ReadonlySet<string>): [string, Switch] {
  const full = program.positional.find((one) => !given.has(one))
  const found = full === undefined ? undefined : program.switches[full]
  return full === undefined || found === undefined ? findSwitch(name, program, word) : [full, found]
}

function translateSwitches(name: string, program: Program, words: readonly string[]): Translated {
  const made = new Map<string, readonly string[]>() // the last of a switch counts
  const withoutEffect: string[] = []
  const given = new Set<string>()
  for (let at = 0; at < words.length; ) {
    const word = words[at] ?? ""
    const isNamed = word.startsWith("-")
    const [full, { takes, becomes }] = isNamed ? findSwitch(name, program, word) : switchOf(name, program, word, given)
    if (isNamed) at++
    const count = valuesBehind(takes, words.slice(at))
    if (takes === "one" && count === 0)
      throw new LaunchError(`${name}: the field '-${full}' isn't completed properly`, program.valueStatus)
    if (becomes === "refused")
      throw new LaunchError(
        `${name}: -${full} is not supported by dafs`,
        program.failureStatus(() => false),
      )
    if (becomes === "without effect") withoutEffect.push(`-${full}`)
    if (typeof becomes === "function") made.set(full, becomes(...words.slice(at, at + count)))
    given.add(full)
    at += count
  }
  return { words: [...made.values()].flat(), given, withoutEffect }
}

/** The names of a program's switches with what they take, for those who compare them with the program's own. */
export function switchesOf(name: string): ReadonlyMap<string, Switch> {
  return new Map(Object.entries(programs[name]?.switches ?? {}))
}

/** What `-help` prints. */
export function usageOf(name: string): string {
  const all = [...switchesOf(name)]
  const named = (becomes: Switch["becomes"]): string =>
    all.flatMap(([full, one]) => (one.becomes === becomes ? [`-${full}`] : [])).join(" ")
  const shown = all
    .filter(([, { becomes }]) => becomes !== "refused" && becomes !== "without effect")
    .map(([full, { takes }]) => (takes === "none" ? `[-${full}]` : `[-${full} <value>]`))
  const refused = named("refused")
  return [
    `Usage: ${[name, ...shown, "[-version]", "[-help]"].join(" ")}`,
    `Taken, without effect: ${named("without effect")}`,
    ...(refused === "" ? [] : [`Not supported: ${refused}`]),
    "",
  ].join("\n")
}

/** What a program of OpenAFS's is here. */
export interface Launch {
  /** The command line of `dafs` that does what the program does. */
  readonly words: readonly string[]
  /** Switches that were given and mean nothing here. */
  readonly withoutEffect: readonly string[]
  /** The program's exit status where `dafs` fails. */
  readonly failureStatus: number
}

/** What is printed instead of being started. */
export interface Answer {
  readonly answer: "help" | "version"
}

/** The salvagers' only subcommand, which may be said or left out; and what else they take for one. */
function withoutSubcommand(words: readonly string[]): readonly string[] {
  const [first, ...rest] = words
  if (first === "initcmd") return rest
  return first === "help" || first === "version" ? [`-${first}`, ...rest] : words
}

/** Options of our daemons' that tell switches without effect to the log. */
function forTheLog(command: string, switches: readonly string[]): string[] {
  const isDaemon = command === "fileserver" || command === "volserver" || command === "salvageserver"
  return isDaemon ? switches.flatMap((name) => [`--without-effect=${name}`]) : []
}

/**
 * What a program of OpenAFS does with these words.
 * @throws LaunchError, as the program itself would refuse it
 */
export function launchOf(name: string, given: readonly string[]): Launch | Answer {
  const program = Object.hasOwn(programs, name) ? programs[name] : undefined
  if (program === undefined) throw new LaunchError(`${name}: one of ${openafsPrograms.join(", ")} is wanted`, 2)
  const words = program.usageStatus === 6 ? withoutSubcommand(given) : given
  if (words.includes("-help")) return { answer: "help" }
  if (words.includes("-version")) return { answer: "version" }
  const translated = translateSwitches(name, program, words)
  const { withoutEffect } = translated
  const has: Has = (full) => translated.given.has(full)
  if (has("volumeid") && !has("partition")) throw new LaunchError(`${name}: -partition is needed with -volumeid`, 255)
  const [command = "", ...rest] = program.start(translated.words, has)
  return {
    words: [command, ...rest, ...forTheLog(command, withoutEffect)],
    withoutEffect,
    failureStatus: program.failureStatus(has),
  }
}
