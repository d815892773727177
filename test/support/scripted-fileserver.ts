/** A fileserver's socket behind which a test gives the answers, and the requests that came. */
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import type { ProgramType } from "../../common/protocol/codes.ts"
import { fssyncProtocol } from "../../fssync/command-table.ts"
import { FssyncClient } from "../../fssync/fssync-client.ts"
import {
  type FssyncCommand,
  fssyncCommands,
  fssyncReasons,
  nameIn,
  responses,
  type SyncAnswer,
  type SyncRequest,
} from "../../fssync/message.ts"
import { impatientRule } from "../../fssync/retry-rule.ts"
import { listenSync } from "../../fssync/server.ts"
import { temporaryDirectory } from "./temporary-directory.ts"

/** Answers some commands; the others get the usual answers. */
export type Script = Partial<Record<FssyncCommand, (request: SyncRequest, nth: number) => SyncAnswer>>

export interface ScriptedFileserver {
  readonly stateDirectory: string
  readonly client: FssyncClient
  /** Commands so far, as `NEEDVOLUME 5 mode 3`. */
  readonly requests: readonly string[]
}

export const ok: SyncAnswer = { response: responses.OK, reason: 0 }
export const denied = (reason: keyof typeof fssyncReasons): SyncAnswer => ({
  response: responses.DENIED,
  reason: fssyncReasons[reason],
})
export const failed = (reason: keyof typeof fssyncReasons): SyncAnswer => ({
  response: responses.FAILED,
  reason: fssyncReasons[reason],
})

function describe(request: SyncRequest): string {
  const name = nameIn(fssyncCommands, request.command).replace(/^VOL_/, "")
  const isModed = name === "NEEDVOLUME" || name === "OFF" || name === "FORCE_ERROR"
  const reason = isModed
    ? ` ${request.reason > 6 ? nameIn(fssyncReasons, request.reason) : `mode ${request.reason}`}`
    : ""
  return `${name} ${request.volume}${reason}`
}

/**
 * Starts it. Checkouts are remembered, so that QUERY_VOP says what a real one would say; everything else is OK.
 */
export async function scriptedFileserver(
  t: Pick<ExecutionContext, "teardown">,
  script: Script = {},
  programType: ProgramType = "volumeServer",
): Promise<ScriptedFileserver> {
  const stateDirectory = temporaryDirectory(t)
  const path = join(stateDirectory, "fssync.sock")
  const requests: string[] = []
  const counts = new Map<number, number>()
  const operations = new Map<number, SyncRequest>()
  const handle = (request: SyncRequest): SyncAnswer => {
    if (request.command !== fssyncCommands.VOL_LISTVOLUMES) requests.push(describe(request))
    const nth = (counts.get(request.command) ?? 0) + 1
    counts.set(request.command, nth)
    for (const [name, answer] of Object.entries(script)) {
      if (nameIn(fssyncCommands, request.command) === name) return answer(request, nth)
    }
    return usualAnswer(request, operations)
  }
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const server = await listenSync({ path, protocol: fssyncProtocol, handle, log: quiet })
  t.teardown(() => server.close())
  const client = new FssyncClient({ path, programType, rule: impatientRule })
  t.teardown(() => client.close())
  return { stateDirectory, client, requests }
}

function usualAnswer(request: SyncRequest, operations: Map<number, SyncRequest>): SyncAnswer {
  switch (request.command) {
    case fssyncCommands.VOL_NEEDVOLUME:
    case fssyncCommands.VOL_OFF:
      operations.set(request.volume, request)
      return ok
    case fssyncCommands.VOL_ON:
    case fssyncCommands.VOL_LEAVE_OFF:
    case fssyncCommands.VOL_DONE:
    case fssyncCommands.VOL_FORCE_ERROR:
      operations.delete(request.volume)
      return ok
    case fssyncCommands.VOL_QUERY_VOP: {
      const found = operations.get(request.volume)
      return found === undefined ? failed("NO_PENDING_VOL_OP") : { ...ok, payload: { request: found, state: 4 } }
    }
    case fssyncCommands.VOL_QUERY:
    case fssyncCommands.VOL_QUERY_HDR:
      return failed("UNKNOWN_VOLID")
    default:
      return ok
  }
}
