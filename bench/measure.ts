/**
 * Measuring one thing against another so that the ratio can be trusted on a machine with other work: both sides take
 * turns, round by round, and the ratio is the median of the rounds' own ratios.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { certificatesVariable } from "../cli/node-switches.ts"
import { type Column, printJson, printTable } from "../common/cli/output.ts"

// Node.js would parse them at each start of ours, and nothing that is measured needs them (docs/start-up.md).
delete process.env[certificatesVariable]

/** One side: a name, and one round of work that gives its figure. */
export interface Side {
  readonly name: string
  readonly round: () => number | Promise<number>
}

/** On the ratio ours to the peer's where there is a peer, else on our own figure. */
export type Goal = { readonly atMost: number } | { readonly atLeast: number }

/** What is to be found out. */
export interface Question {
  readonly what: string
  /** Of the figures: `µs`, `calls/s`, `MB`. */
  readonly unit: string
  readonly ours: Side
  /** Undefined where there is none on this machine. */
  readonly peer?: Side | undefined
  readonly goal?: Goal
  /** 7. One more is done first and thrown away. */
  readonly rounds?: number
}

/** What was found out. Figures are medians. */
export interface Answer {
  readonly what: string
  readonly unit: string
  readonly ours: number
  readonly peer: number | undefined
  readonly peerName: string | undefined
  /** Ours to the peer's. */
  readonly ratio: number | undefined
  /** Smallest and largest of our rounds. */
  readonly range: readonly [number, number]
  readonly rounds: number
  readonly goal: Goal | undefined
  readonly met: boolean | undefined
}

/** The middle of some numbers. @throws RangeError if there are none */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
  if (low === undefined || high === undefined) throw new RangeError("the median of no numbers")
  return (low + high) / 2
}

/** Microseconds that one call of `work` takes, of `count` in a row. */
export function microseconds(count: number, work: (index: number) => void): number {
  const begin = performance.now()
  for (let index = 0; index < count; index++) work(index)
  return ((performance.now() - begin) * 1000) / count
}

/** Seconds that the work takes. */
export async function seconds(work: () => void | Promise<void>): Promise<number> {
  const begin = performance.now()
  await work()
  return (performance.now() - begin) / 1000
}

function isMet(goal: Goal | undefined, figure: number | undefined): boolean | undefined {
  if (goal === undefined || figure === undefined) return undefined
  return "atMost" in goal ? figure <= goal.atMost : figure >= goal.atLeast
}

/** How often both sides are asked. */
export interface Turns {
  /** 7. One more is done first and thrown away. */
  readonly rounds?: number | undefined
  /** No round begins after so long, but there is always one that counts. */
  readonly secondsMax?: number | undefined
}

/** The figures of every side, round by round: the sides take turns, each round another one begins. */
export async function takeTurns(
  sides: readonly Side[],
  { rounds = 7, secondsMax = Number.POSITIVE_INFINITY }: Turns = {},
): Promise<number[][]> {
  const figures: number[][] = sides.map(() => [])
  const begin = performance.now()
  for (let round = 0; round <= rounds; round++) {
    if (round > 1 && performance.now() - begin > secondsMax * 1000) break
    for (let turn = 0; turn < sides.length; turn++) {
      const index = (round + turn) % sides.length
      const figure = (await sides[index]?.round()) ?? Number.NaN
      if (round > 0) figures[index]?.push(figure)
    }
  }
  return figures
}

/** A question whose rounds have been run. */
export interface Figures {
  readonly what: string
  readonly unit: string
  /** Ours, round by round. */
  readonly ours: readonly number[]
  /** The peer's in the same rounds. */
  readonly peer?: { readonly name: string; readonly figures: readonly number[] } | undefined
  readonly goal?: Goal | undefined
}

/** What the figures come to. */
export function answerFrom({ what, unit, ours, peer, goal }: Figures): Answer {
  const ratio = peer && median(ours.map((mine, round) => mine / (peer.figures[round] ?? Number.NaN)))
  return {
    what,
    unit,
    ours: median(ours),
    peer: peer && median(peer.figures),
    peerName: peer?.name,
    ratio,
    range: [Math.min(...ours), Math.max(...ours)],
    rounds: ours.length,
    goal,
    met: isMet(goal, peer === undefined ? median(ours) : ratio),
  }
}

/** Runs both sides in turns. */
export async function answer({ what, unit, ours, peer, goal, rounds }: Question): Promise<Answer> {
  const [mine = [], theirs = []] = await takeTurns(peer === undefined ? [ours] : [ours, peer], { rounds })
  return answerFrom({ what, unit, ours: mine, peer: peer && { name: peer.name, figures: theirs }, goal })
}

/** Three digits are more than a shared machine is good for. */
export function short(figure: number | undefined): string {
  if (figure === undefined) return "-"
  return figure >= 1000 ? Math.round(figure).toLocaleString("en") : String(Number(figure.toPrecision(3)))
}

function goalText(goal: Goal | undefined): string {
  if (goal === undefined) return ""
  return "atMost" in goal ? `<= ${goal.atMost}` : `>= ${goal.atLeast}`
}

const columns: readonly Column<Answer>[] = [
  { title: "QUESTION", value: (row) => row.what },
  { title: "UNIT", value: (row) => row.unit },
  { title: "OURS", value: (row) => short(row.ours), align: "right" },
  { title: "RANGE", value: (row) => row.range.map(short).join("-"), align: "right" },
  { title: "PEER", value: (row) => short(row.peer), align: "right" },
  { title: "RATIO", value: (row) => (row.ratio === undefined ? "-" : row.ratio.toFixed(2)), align: "right" },
  { title: "GOAL", value: (row) => goalText(row.goal), align: "right" },
  { title: "", value: (row) => (row.met === undefined ? "" : row.met ? "met" : "MISSED") },
  { title: "AGAINST", value: (row) => row.peerName ?? "" },
]

/** Prints the answers of one benchmark: a table, or with `--json` one document. */
export function report(answers: readonly Answer[], args: readonly string[] = process.argv.slice(2)): void {
  if (args.includes("--json")) printJson({ type: "benchmark", answers })
  else printTable(answers, columns)
}

/** Does the work in a temporary folder (below DAFS_TMP if that is set), which is gone afterwards. */
export async function inTemporaryDirectory<T>(work: (directory: string) => T | Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(process.env["DAFS_TMP"] ?? tmpdir(), "dafs-bench-"))
  try {
    return await work(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** A file beside the sources of the benchmarks. */
export const benchFile = (name: string): string => join(import.meta.dirname, "..", "..", "bench", name)

/** True if the program can be started. */
export function hasProgram(name: string): boolean {
  try {
    execFileSync(name, ["--version"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}
