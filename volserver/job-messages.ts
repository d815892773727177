/**
 * What travels between `dafs vos`, the volserver and its workers. All ends are one installation; what arrives is checked all
 * the same, field by field, before it is used.
 */
import { type Code, codes } from "../common/protocol/codes.ts"
import type { Progress } from "./pace.ts"

/** Name of the volserver's socket in the state directory. */
export const volserverSocketName = "volser.sock"

/** From a client: run a subcommand of `dafs vos` with these option values, in this folder. */
export interface RunMessage {
  readonly type: "run"
  readonly command: string
  readonly values: Readonly<Record<string, unknown>>
  readonly cwd: string
}

/** From a client: end a job as an interrupt would. */
interface CancelMessage {
  readonly type: "cancel"
  readonly job: number
}

export type ClientMessage = RunMessage | CancelMessage | { readonly type: "status" }

/** A job as `dafs vos status` shows it. */
export interface JobStatus {
  readonly job: number
  readonly command: string
  /** Undefined while it waits for its turn. */
  readonly pid: number | undefined
  /** Seconds since 1970 when it was asked for. */
  readonly since: number
  /** Volumes that it has, as `536870912 /vicepa`. */
  readonly volumes: readonly string[]
  readonly progress: Progress | undefined
}

/** How a job failed. */
export interface Failure {
  /** Undefined for damage and bugs. */
  readonly code: Code | undefined
  readonly message: string
  /** Exit status that the command would have had. */
  readonly exit: number
}

export type ServerMessage =
  | { readonly type: "started"; readonly job: number }
  | ({ readonly type: "progress" } & Progress)
  | { readonly type: "notice"; readonly text: string }
  | { readonly type: "done"; readonly result: unknown }
  | ({ readonly type: "failed" } & Failure)
  | { readonly type: "status"; readonly jobs: readonly JobStatus[] }
  | { readonly type: "cancelled"; readonly job: number; readonly found: boolean }

/** From a worker to the volserver; what it also has to say goes to the client as it is. */
export type WorkerMessage =
  | { readonly type: "reserve"; readonly id: number; readonly partition: string; readonly volume: number }
  | { readonly type: "release"; readonly partition: string; readonly volume: number }
  | Extract<ServerMessage, { readonly type: "progress" | "notice" | "done" | "failed" }>

/** The answer to `reserve`. */
export interface ReservedMessage {
  readonly type: "reserved"
  readonly id: number
  /** Undefined: granted. Else who has the volume. */
  readonly holder?: string | undefined
}

type Fields = Readonly<Record<string, unknown>>

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

const isText = (value: unknown): value is string => typeof value === "string"
const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value)

/** What a client sent, or undefined if it is nothing that a client sends. */
export function clientMessage(message: Fields): ClientMessage | undefined {
  const { type, command, values, cwd, job } = message
  if (type === "run" && isText(command) && isFields(values) && isText(cwd)) return { type, command, values, cwd }
  if (type === "cancel" && isNumber(job)) return { type, job }
  return type === "status" ? { type } : undefined
}

/** What a volserver sent, or undefined. */
export function serverMessage(message: Fields): ServerMessage | undefined {
  const { type, job, text, jobs, found } = message
  if (type === "started" && isNumber(job)) return { type, job }
  if (type === "notice" && isText(text)) return { type, text }
  if (type === "done") return { type, result: message["result"] }
  if (type === "progress") return progressMessage(message)
  if (type === "failed") return failedMessage(message)
  if (type === "status" && Array.isArray(jobs)) return { type, jobs: jobs.filter(isJobStatus) }
  return type === "cancelled" && isNumber(job) && typeof found === "boolean" ? { type, job, found } : undefined
}

function progressMessage({ unit, done, total }: Fields): ServerMessage | undefined {
  if ((unit !== "bytes" && unit !== "vnodes") || !isNumber(done)) return undefined
  return { type: "progress", unit, done, total: isNumber(total) ? total : undefined }
}

function failedMessage({ code, message, exit }: Fields): ServerMessage | undefined {
  if (!isText(message) || !isNumber(exit)) return undefined
  return { type: "failed", code: isCode(code) ? code : undefined, message, exit }
}

const isCode = (value: unknown): value is Code => isText(value) && Object.hasOwn(codes, value)

function isJobStatus(value: unknown): value is JobStatus {
  return isFields(value) && isNumber(value["job"]) && isText(value["command"]) && Array.isArray(value["volumes"])
}

/** What a worker sent, or undefined. */
export function workerMessage(message: unknown): WorkerMessage | undefined {
  if (!isFields(message)) return undefined
  const { type, id, partition, volume } = message
  if (type === "reserve" && isNumber(id) && isText(partition) && isNumber(volume))
    return { type, id, partition, volume }
  if (type === "release" && isText(partition) && isNumber(volume)) return { type, partition, volume }
  const known = serverMessage(message)
  const isForward =
    known?.type === "progress" || known?.type === "notice" || known?.type === "done" || known?.type === "failed"
  return isForward ? known : undefined
}
