/**
 * A server of FSSYNC without volumes, for tests with two processes: `sync-server.program.js PATH`. Answers VOL_QUERY with
 * a sample, VOL_OFF never, everything else OK. Prints "listening", a line for each VOL_FORCE_ERROR, and "gone PID" when a
 * client has left. SIGTERM closes it in order.
 */
import { fssyncProtocol } from "../../fssync/command-table.ts"
import { fssyncCommands } from "../../fssync/message.ts"
import { listenSync, type SyncHandler } from "../../fssync/server.ts"
import { okAnswer, sampleVolume } from "../support/sync-samples.ts"

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const handle: SyncHandler = (request) => {
  if (request.command === fssyncCommands.VOL_OFF) {
    say(`off ${request.volume}`)
    return new Promise(() => undefined)
  }
  if (request.command === fssyncCommands.VOL_FORCE_ERROR) say(`error ${request.volume}`)
  return request.command === fssyncCommands.VOL_QUERY
    ? { ...okAnswer, payload: sampleVolume(request.volume) }
    : okAnswer
}

const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
const [, , path = ""] = process.argv
const server = await listenSync({
  path,
  protocol: fssyncProtocol,
  handle,
  log,
  onChannelClosed: (channel) => say(`gone ${channel.pid}`),
}).catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error))
  process.exit(1)
})
say("listening")
process.once("SIGTERM", () => void server.close()) // ends the process: nothing else keeps it
