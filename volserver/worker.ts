/**
 * A volserver's worker: one subcommand in a process of its own, so that its locks are its own and nobody's loop waits for
 * its file calls. It is told what to do by the first message, and ends when that is done, when a signal comes, or when the
 * volserver is gone.
 */
import { exitCodeOf } from "../common/cli/exit-codes.ts"
import { AfsError } from "../common/error.ts"
import type { Partition } from "../common/partition/partition.ts"
import { type Failure, isFields, type ReservedMessage, type WorkerMessage } from "./job-messages.ts"
import { checkValues } from "./vos/check-values.ts"
import { vosCommands } from "./vos/commands.ts"
import { runCommand } from "./vos/run.ts"

function tell(message: WorkerMessage): void {
  process.send?.(message)
}

/** Runs what the first message says. Resolves when it is over; the result has been sent then. */
export async function runWorker(): Promise<void> {
  const controller = new AbortController()
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => controller.abort())
  process.once("disconnect", () => controller.abort())
  const reservations = new Reservations()
  const message = await new Promise<unknown>((resolve) => process.once("message", resolve))
  process.on("message", (answer: unknown) => reservations.answered(answer))
  try {
    tell({ type: "done", result: (await work(message, controller.signal, reservations)) ?? null })
  } catch (error) {
    tell({ type: "failed", ...failureOf(error) })
  }
  if (process.connected) process.disconnect()
}

async function work(message: unknown, signal: AbortSignal, reservations: Reservations): Promise<unknown> {
  const { command, values } = isFields(message) ? message : {}
  const row = typeof command === "string" ? vosCommands[command] : undefined
  if (row === undefined) throw new AfsError("USAGE", "volserver", {}, { detail: `no such command: ${String(command)}` })
  const module = await row.load()
  const listener = {
    progress: (progress: Parameters<typeof progressMessage>[0]) => tell(progressMessage(progress)),
    notice: (text: string) => tell({ type: "notice", text }),
  }
  const reserve = (partition: Partition, volume: number): Promise<() => void> => reservations.reserve(partition, volume)
  return runCommand(module, checkValues(module, values), listener, { signal, reserve })
}

const progressMessage = (progress: Omit<Extract<WorkerMessage, { type: "progress" }>, "type">): WorkerMessage => ({
  type: "progress",
  ...progress,
})

/** An error as it goes to the client. */
function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error)
  return { code: error instanceof AfsError ? error.code : undefined, message, exit: exitCodeOf(error) }
}

/** Asks the volserver for volumes: it knows what the other workers have. */
class Reservations {
  readonly #waiting = new Map<number, (answer: ReservedMessage) => void>()
  #lastId = 0

  async reserve(partition: Partition, volume: number): Promise<() => void> {
    const id = ++this.#lastId
    const answer = await new Promise<ReservedMessage>((resolve) => {
      this.#waiting.set(id, resolve)
      tell({ type: "reserve", id, partition: partition.path, volume })
    })
    if (answer.holder === undefined) return () => tell({ type: "release", partition: partition.path, volume })
    throw new AfsError("VOLSERVOLBUSY", "reserve", { volume, partition: partition.name, holder: answer.holder })
  }

  answered(message: unknown): void {
    if (!isFields(message) || message["type"] !== "reserved" || typeof message["id"] !== "number") return
    const { id, holder } = message
    this.#waiting.get(id)?.({ type: "reserved", id, holder: typeof holder === "string" ? holder : undefined })
    this.#waiting.delete(id)
  }
}
