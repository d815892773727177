/** Runs one `dafs vos` subcommand in this process: finds partitions and fileserver, shows progress, prints the result. */
import { stateDirectoryOf } from "../../common/cli/place-options.ts"
import { isWatched, openProgressBar } from "../../common/cli/progress.ts"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { AfsError } from "../../common/error.ts"
import { findPartitions, fullPartitionName, openPartition, type Partition } from "../../common/partition/partition.ts"
import { openFileserver } from "../../fssync/fileserver-link.ts"
import type { OperationEvent } from "../../fssync/volume-checkout.ts"
import { waitingText } from "../../fssync/waiting.ts"
import type { VolserverContext } from "../context.ts"
import { Pace, type Progress } from "../pace.ts"
import { type AnyVosCommand, type CommonValues, commonOptions } from "./vos-command.ts"

/** Where an operation tells how it goes. */
export interface Listener {
  readonly progress: ((progress: Progress) => void) | undefined
  readonly notice: (text: string) => void
  readonly begun?: (() => void) | undefined
}

/** Values as the command line gave them; checked against the command's table. */
export type Values = CommonValues & Readonly<Record<string, unknown>>

/** Seconds; a day. */
const timeoutMax = 86_400

/** Milliseconds. @throws AfsError USAGE unless it is a time to come */
export function timeoutOf({ timeout }: CommonValues): number | undefined {
  if (timeout === undefined || (timeout > 0 && timeout <= timeoutMax)) return timeout && timeout * 1000
  throw new AfsError("USAGE", "vos", {}, { detail: `--timeout takes a number of seconds up to ${timeoutMax}` })
}

/** @throws AfsError USAGE if a number is none, or an option of several values has none */
function requireUsable(command: AnyVosCommand, values: Values): void {
  for (const [name, option] of Object.entries({ ...command.options, ...commonOptions })) {
    const value = values[name]
    if (Array.isArray(value) && value.length === 0) {
      throw new AfsError("USAGE", "vos", {}, { detail: `--${name}: which one?` })
    }
    if (option.type === "number" && value !== undefined && !Number.isFinite(value)) {
      throw new AfsError("USAGE", "vos", {}, { detail: `--${name} takes one number` })
    }
  }
}

/** Runs a subcommand. @throws AfsError, FormatError, DiskError */
export async function runCommand(
  command: AnyVosCommand,
  values: Values,
  listener: Listener,
  extras: { readonly signal: AbortSignal } & Partial<Pick<VolserverContext["claimant"], "reserve">>,
): Promise<unknown> {
  requireUsable(command, values)
  const { signal, ...claims } = extras
  const stateDirectory = stateDirectoryOf(values)
  const fileserver =
    command.needsNoFileserver === true
      ? undefined
      : await openFileserver({
          stateDirectory,
          program: "volumeServer",
          offline: values.offline,
          timeoutMs: timeoutOf(values),
          onWait: (waiting) => listener.notice(waitingText(waiting)),
        })
  try {
    const context: VolserverContext = {
      claimant: {
        program: "volumeServer",
        fileserver,
        report: (event) => listener.notice(eventText(event)),
        ...claims,
      },
      partitions: partitionsOf(values),
      stateDirectory,
      now: () => Math.floor(Date.now() / 1000),
      pace: new Pace({ signal, report: listener.progress }),
      patience: { waitMs: 3_000, attemptsMax: 32, signal },
      notice: listener.notice,
      begun: listener.begun,
    }
    return await command.run(context, values as never) // the table that checked the values is where their type comes from
  } finally {
    await fileserver?.close()
  }
}

function partitionsOf({ partition: words }: CommonValues): Partition[] {
  if (words === undefined) return findPartitions()
  return words.map((word) => openPartition(nodeDisk.stat(word) === undefined ? fullPartitionName(word) : word))
}

function eventText(event: OperationEvent): string {
  switch (event.type) {
    case "checkedOutAgain":
      return `the fileserver has restarted: checking out volume ${event.volume} again (${event.round})`
    case "salvaging":
      return `volume ${event.volume} is being salvaged: trying again in ${event.waitMs / 1000} s (${event.attempt} of ${event.attemptsMax})`
    case "notLocked":
      return `volume ${event.volume} cannot be locked: ${event.why}`
    case "notCheckedIn":
      return `done, but the fileserver could not be told about volume ${event.volume}: ${event.why}`
    case "draft":
      return `volume ${event.volume}: an earlier change of its contents was ${event.outcome === "finished" ? "completed" : "undone"}`
  }
}

/** Aborts at the first signal; at the second the process ends. */
function abortBySignals(controller: AbortController): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => controller.abort())
}

/** Runs a subcommand for a person at a terminal, or for a script. */
export async function runHere(command: AnyVosCommand, values: Values): Promise<unknown> {
  const controller = new AbortController()
  const listen = (): void => abortBySignals(controller)
  // Who waits for the first byte of standard input hears no signal: until then nothing is begun, and a signal ends the process.
  const awaitsInput = command.readsInput?.(values as never) === true
  if (!awaitsInput) listen()
  const bar = values.quiet || !isWatched() ? undefined : openProgressBar(command.usage.split(" ")[0] ?? "")
  const listener = {
    progress: bar === undefined ? undefined : (progress: Progress) => bar.report(progress),
    notice(text: string) {
      bar?.stop()
      process.stderr.write(`dafs: ${text}\n`)
    },
    begun: awaitsInput ? listen : undefined,
  }
  try {
    return await runCommand(command, values, listener, { signal: controller.signal })
  } finally {
    bar?.stop()
  }
}

/** Prints a result; on standard error if standard output has the data itself. */
export function printResult(command: AnyVosCommand, values: Values, result: unknown): void {
  const text = values.json ? `${JSON.stringify(result, null, 2)}\n` : command.print(result as never, values as never)
  const taken = command.writesOutput?.(values as never) === true
  if (text !== "") (taken ? process.stderr : process.stdout).write(text)
}
