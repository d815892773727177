/** Runs a `dafs vos` subcommand at the volserver, and shows the same progress and result as if it ran here. */
import { stateDirectoryOf } from "../../common/cli/place-options.ts"
import { isWatched, openProgressBar, type ProgressBar } from "../../common/cli/progress.ts"
import { AfsError } from "../../common/error.ts"
import { connectJson, type JsonChannel } from "../../fssync/json-channel.ts"
import { serverText, waitNoticeMs } from "../../fssync/waiting.ts"
import {
  type ClientMessage,
  type JobStatus,
  type ServerMessage,
  serverMessage,
  volserverSocketName,
} from "../job-messages.ts"
import { ownValues } from "./check-values.ts"
import { timeoutOf, type Values } from "./run.ts"
import type { AnyVosCommand } from "./vos-command.ts"

async function connect(stateDirectory: string): Promise<JsonChannel> {
  try {
    return await connectJson(`${stateDirectory}/${volserverSocketName}`)
  } catch (cause) {
    const detail = `no volserver answers: start it with dafs volserver, or leave out --volserver (${cause instanceof Error ? cause.message : cause})`
    throw new AfsError("UNREACHABLE", "volserver", {}, { detail, cause })
  }
}

const nameOfCommand = (command: AnyVosCommand): string => command.usage.split(" ")[0] ?? ""

/** @throws AfsError as the job failed; UNREACHABLE if the volserver is not there or goes away */
export async function runAtVolserver(command: AnyVosCommand, values: Values): Promise<unknown> {
  if (command.writesOutput?.(values as never) === true || command.readsInput?.(values as never) === true) {
    const detail = "the volserver has neither your standard input nor output: name a --file"
    throw new AfsError("USAGE", nameOfCommand(command), {}, { detail })
  }
  const channel = await connect(stateDirectoryOf(values))
  const bar = values.quiet || !isWatched() ? undefined : openProgressBar(nameOfCommand(command))
  try {
    return await follow(channel, command, values, bar)
  } finally {
    bar?.stop()
    channel.close()
  }
}

function follow(
  channel: JsonChannel,
  command: AnyVosCommand,
  values: Values,
  bar: ProgressBar | undefined,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let job = 0
    const noticing = noticeSilence(channel, values, (text) => showNotice(text, bar), reject)
    process.once("SIGINT", () => send(channel, { type: "cancel", job }))
    channel.listen({
      message(raw) {
        const message = serverMessage(raw)
        noticing.stop()
        if (message?.type === "started") job = message.job
        else if (message?.type === "progress") bar?.report(message)
        else if (message?.type === "notice") showNotice(message.text, bar)
        else if (message?.type === "done") resolve(message.result)
        else if (message?.type === "failed") reject(remoteError(command, message))
      },
      closed() {
        noticing.stop()
        reject(new AfsError("UNREACHABLE", "volserver", {}, { detail: "it hung up" }))
      },
    })
    send(channel, {
      type: "run",
      command: nameOfCommand(command),
      values: ownValues(command, values),
      cwd: process.cwd(),
    })
  })
}

/** Until the volserver says its first word: tells whom we wait for, and gives up when the time is over. */
function noticeSilence(
  channel: JsonChannel,
  values: Values,
  tell: (text: string) => void,
  giveUp: (error: Error) => void,
): { stop(): void } {
  const path = `${stateDirectoryOf(values)}/${volserverSocketName}`
  const timeoutMs = timeoutOf(values)
  const notice = setTimeout(() => tell(`waiting for an answer from ${serverText(path)}`), waitNoticeMs)
  const end = (): void => {
    const detail = `${serverText(path)} did not answer within ${(timeoutMs ?? 0) / 1000} s`
    clearTimeout(notice)
    giveUp(new AfsError("TIMEDOUT", "volserver", { path }, { detail }))
    channel.destroy()
  }
  const timeout = timeoutMs === undefined ? undefined : setTimeout(end, timeoutMs)
  return {
    stop() {
      clearTimeout(notice)
      clearTimeout(timeout)
    },
  }
}

function showNotice(text: string, bar: ProgressBar | undefined): void {
  bar?.stop()
  process.stderr.write(`dafs: ${text}\n`)
}

/**
 * A job's error again. A worker's message has operation, sentence and code in front, which the new one says itself; the
 * volserver's own has not.
 */
function remoteError(command: AnyVosCommand, { code, message }: Extract<ServerMessage, { type: "failed" }>): Error {
  if (code === undefined) return new Error(message)
  const codeAt = message.indexOf(`(${code})`)
  const detail = codeAt < 0 ? message : message.slice(codeAt + code.length + 2).replace(/^[,:]? /, "")
  return new AfsError(code, nameOfCommand(command), {}, detail === "" ? {} : { detail })
}

function send(channel: JsonChannel, message: ClientMessage): void {
  channel.send(message)
}

/** One question and its answer. */
async function ask(
  stateDirectory: string,
  question: ClientMessage,
  answer: ServerMessage["type"],
): Promise<ServerMessage> {
  const channel = await connect(stateDirectory)
  try {
    return await new Promise((resolve, reject) => {
      channel.listen({
        message(raw) {
          const message = serverMessage(raw)
          if (message?.type === answer) resolve(message)
        },
        closed: () => reject(new AfsError("UNREACHABLE", "volserver", {}, { detail: "it hung up" })),
      })
      send(channel, question)
    })
  } finally {
    channel.close()
  }
}

/** The volserver's jobs. */
export async function volserverStatus(stateDirectory: string): Promise<readonly JobStatus[]> {
  const message = await ask(stateDirectory, { type: "status" }, "status")
  return message.type === "status" ? message.jobs : []
}

/** Ends a job. False if there is none of that number. */
export async function cancelJob(stateDirectory: string, job: number): Promise<boolean> {
  const message = await ask(stateDirectory, { type: "cancel", job }, "cancelled")
  return message.type === "cancelled" && message.found
}
