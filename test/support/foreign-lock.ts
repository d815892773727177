/** Programs that are not ours and lock bytes of a file, in Python and in C: whom our locks must hold against. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import { projectFile } from "./project.ts"
import { needsCompiler, needsPython, type RequiringTest } from "./requirements.ts"
import { outputOf, type Spawned, spawnProgram } from "./spawned.ts"

type Teardown = Pick<ExecutionContext, "teardown">

/** A lock such a program takes. Length 1 and an ordinary record lock unless said otherwise. */
export interface ForeignLock {
  readonly type: "read" | "write"
  readonly first: number
  readonly length?: number
  /** `description`: a lock of the open file description, which no process owns. */
  readonly kind?: "record" | "description"
}

/** How to run one of the programs. */
export interface Locker {
  readonly program: string
  readonly args: readonly string[]
}

/** -I -S: without what the user or the site adds to Python, which takes most of its start. */
const pythonLocker: Locker = {
  program: "python3",
  args: ["-I", "-S", projectFile("test", "support", "foreign-lock.py")],
}

let compiled: Locker | undefined

/** The C program, compiled once per test process. */
function compiledLocker(): Locker {
  if (compiled !== undefined) return compiled
  const directory = mkdtempSync(join(tmpdir(), "dafs-test-")) // not in memory: there, programs often may not be run
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }))
  const program = join(directory, "foreign-lock")
  execFileSync("cc", ["-O1", "-o", program, projectFile("test", "support", "foreign-lock.c")])
  compiled = { program, args: [] }
  return compiled
}

/** The programs there are, each with the declarer of tests that need it. */
export const lockers: readonly { name: string; declare: RequiringTest; locker: () => Locker }[] = [
  { name: "Python", declare: needsPython, locker: () => pythonLocker },
  { name: "C", declare: needsCompiler, locker: compiledLocker },
]

/** Tests that need one of the programs, no matter which: C is quicker to start. */
export const needsLocker: RequiringTest = needsCompiler.met ? needsCompiler : needsPython
export const anyLocker = (): Locker => (needsCompiler.met ? compiledLocker() : pythonLocker)

const wordOf = (lock: ForeignLock): string => `${lock.kind ?? "record"}:${lock.type}:${lock.first}:${lock.length ?? 1}`

const argumentsOf = (locker: Locker, verb: "hold" | "try", path: string, locks: readonly ForeignLock[]): string[] => [
  ...locker.args,
  path,
  verb,
  ...locks.map(wordOf),
]

/** Starts a program that has got these locks when this resolves, and keeps them until it ends. */
export async function holdForeign(
  t: Teardown,
  locker: Locker,
  path: string,
  ...locks: ForeignLock[]
): Promise<Spawned> {
  const holder = spawnProgram(t, locker.program, argumentsOf(locker, "hold", path, locks))
  await holder.line(/^holding$/)
  if (holder.stdout().includes("refused")) throw new Error(`a foreign program was refused: ${holder.stdout()}`)
  return holder
}

/** Whether a program that only tries, and ends, gets each of these locks. */
export async function tryForeign(locker: Locker, path: string, ...locks: ForeignLock[]): Promise<boolean[]> {
  const output = await outputOf(locker.program, argumentsOf(locker, "try", path, locks))
  return output
    .trim()
    .split("\n")
    .map((line) => line === "granted")
}
