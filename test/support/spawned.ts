/**
 * Programs started by tests. None outlives its test: each is the head of a process group of its own, and what still runs
 * in it is killed when the test ends, or when the test's own process does.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { readFileSync, statSync } from "node:fs"
import type { Readable } from "node:stream"
import type { ExecutionContext } from "ava"
import { builtProgram } from "./project.ts"

/** How a program ended: its status, or the signal that ended it. */
export interface Ending {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
}

/** A program that ran to its end, with all it printed. */
export interface Finished extends Ending {
  readonly stdout: string
  readonly stderr: string
}

export interface SpawnOptions {
  readonly directory?: string
  /** Added to the environment of the test. */
  readonly environment?: Readonly<Record<string, string>>
  /** Given to its standard input, which is then closed. Without it the input is empty. */
  readonly input?: string | Uint8Array
}

/** A running program. */
export interface Spawned {
  readonly pid: number
  /** All it has printed so far to stdout. */
  stdout(): string
  /** All it has printed so far to stderr. */
  stderr(): string
  /** The first line on stdout or stderr, past or to come, that matches. Fails if the program ends or time runs out first. */
  line(pattern: RegExp, timeoutMs?: number): Promise<string>
  /** Resolves when the file or socket at `path` exists. Fails if the program ends or time runs out first. */
  created(path: string, timeoutMs?: number): Promise<void>
  /** Sends a signal; without effect on a program that has ended. */
  signal(name: NodeJS.Signals): void
  /** How it ended, when it has. */
  readonly ended: Promise<Finished>
  /** Sends a signal (SIGTERM) and waits for the end; kills after `timeoutMs`. */
  stop(name?: NodeJS.Signals, timeoutMs?: number): Promise<Finished>
}

type Teardown = Pick<ExecutionContext, "teardown">

const running = new Set<ChildProcess>()
process.on("exit", () => {
  for (const child of running) killGroup(child.pid)
})

/** Kills a program and whatever it started. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, "SIGKILL")
  } catch {
    // all of them have ended
  }
}

const patienceMs = 30_000

class Output {
  text = ""
  readonly #listeners = new Set<() => void>()

  constructor(stream: Readable) {
    stream.setEncoding("utf8")
    stream.on("data", (piece: string) => {
      this.text += piece
      for (const listener of this.#listeners) listener()
    })
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A whole line that matches, if there is one. */
  find(pattern: RegExp): string | undefined {
    const lines = this.text.split("\n")
    return lines.slice(0, -1).find((line) => pattern.test(line))
  }
}

/** Resolves with the first value that `look` gives; `wake` calls look again whenever something may have changed. */
function awaited<T>(
  what: string,
  timeoutMs: number,
  ended: Promise<Finished>,
  look: () => T | undefined,
  wake: (again: () => void) => () => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let finish = (): void => {}
    const again = (): void => {
      const value = look()
      if (value === undefined) return
      finish()
      resolve(value)
    }
    const give = (why: string): void => {
      finish()
      reject(new Error(`${what}: ${why}`))
    }
    const timer = setTimeout(() => give(`not within ${timeoutMs} ms`), timeoutMs)
    const stop = wake(again)
    finish = () => {
      clearTimeout(timer)
      stop()
    }
    void ended.then((end) => {
      again()
      give(`the program ended (${end.signal ?? end.status}): ${end.stdout}${end.stderr}`)
    })
    again()
  })
}

/** True while a process runs; false for one that has ended, even if nobody has asked how. */
export function isAlive(pid: number): boolean {
  try {
    const state = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /s, "")
    return !/^[ZX]/.test(state)
  } catch {
    return false
  }
}

function exists(path: string): true | undefined {
  return statSync(path, { throwIfNoEntry: false }) === undefined ? undefined : true
}

/** Looks every few milliseconds: a socket's folder may not exist yet, so there is nothing to watch. */
function every(milliseconds: number, again: () => void): () => void {
  const timer = setInterval(again, milliseconds)
  return () => clearInterval(timer)
}

function launch(program: string, args: readonly string[], options: SpawnOptions): Spawned {
  const child = spawn(program, args, {
    cwd: options.directory,
    env: { ...process.env, ...options.environment },
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  })
  running.add(child)
  const [stdout, stderr] = [new Output(child.stdout), new Output(child.stderr)]
  child.stdin.on("error", () => {}) // a program need not read its input
  child.stdin.end(options.input ?? "")
  const ended = new Promise<Finished>((resolve, reject) => {
    child.once("error", reject)
    child.once("close", (status, signal) => {
      running.delete(child)
      resolve({ status, signal, stdout: stdout.text, stderr: stderr.text })
    })
  })
  ended.catch(() => running.delete(child)) // whoever waits for the end sees the failure
  const name = [program, ...args].join(" ")
  return {
    pid: child.pid ?? -1,
    stdout: () => stdout.text,
    stderr: () => stderr.text,
    ended,
    line: (pattern, timeoutMs = patienceMs) =>
      awaited(
        `${name}: a line like ${pattern}`,
        timeoutMs,
        ended,
        () => stdout.find(pattern) ?? stderr.find(pattern),
        (again) => {
          const stops = [stdout.listen(again), stderr.listen(again)]
          return () => {
            for (const stop of stops) stop()
          }
        },
      ),
    async created(path, timeoutMs = patienceMs) {
      await awaited(
        `${name}: ${path}`,
        timeoutMs,
        ended,
        () => exists(path),
        (again) => every(5, again),
      )
    },
    signal: (which) => void child.kill(which),
    async stop(which = "SIGTERM", timeoutMs = patienceMs) {
      child.kill(which)
      const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs)
      try {
        return await ended
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

/** Starts a program; it is killed when the test ends. */
export function spawnProgram(
  t: Teardown,
  program: string,
  args: readonly string[] = [],
  options: SpawnOptions = {},
): Spawned {
  const spawned = launch(program, args, options)
  t.teardown(async () => {
    killGroup(spawned.pid < 0 ? undefined : spawned.pid)
    await spawned.ended.catch(() => undefined)
  })
  return spawned
}

/** Starts a compiled TypeScript program of the project, named by its source (`test/process/holder.program.ts`). */
export function spawnSource(
  t: Teardown,
  source: string,
  args: readonly string[] = [],
  options: SpawnOptions = {},
): Spawned {
  return spawnProgram(t, process.execPath, ["--enable-source-maps", builtProgram(source), ...args], options)
}

/** Starts the `dafs` command. */
export function spawnDafs(t: Teardown, args: readonly string[], options: SpawnOptions = {}): Spawned {
  return spawnSource(t, "cli/dafs.ts", args, options)
}

/** Runs a program to its end, whatever its status. */
export async function runProgram(
  program: string,
  args: readonly string[] = [],
  options: SpawnOptions = {},
): Promise<Finished> {
  return await launch(program, args, options).ended
}

/** Runs the `dafs` command to its end, whatever its status. */
export async function runDafs(args: readonly string[], options: SpawnOptions = {}): Promise<Finished> {
  return await runProgram(process.execPath, ["--enable-source-maps", builtProgram("cli/dafs.ts"), ...args], options)
}

/** Runs a program to its end and gives what it printed to stdout. @throws Error with all its output if it fails. */
export async function outputOf(
  program: string,
  args: readonly string[] = [],
  options: SpawnOptions = {},
): Promise<string> {
  const end = await runProgram(program, args, options)
  if (end.status === 0) return end.stdout
  throw new Error(
    `${[program, ...args].join(" ")}: ${end.signal ?? `status ${end.status}`}\n${end.stdout}${end.stderr}`,
  )
}
