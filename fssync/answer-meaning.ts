/** What an answer of the fileserver means: names of its reasons, and refusals as errors. */
import { AfsError, type Subject } from "../common/error.ts"
import { type Code, codes } from "../common/protocol/codes.ts"
import type { SyncReply } from "./client.ts"
import { commonReasons, fssyncReasons, nameIn, responses } from "./message.ts"

/** Name of an answer's reason: FSSYNC's and the common ones, or the error code of the volume package, or its number. */
export function reasonName(reason: number): string {
  const named = nameIn({ ...commonReasons, ...fssyncReasons }, reason)
  return named === String(reason) ? (codeOf(reason) ?? named) : named
}

/** The AFS code with this number on the wire. */
function codeOf(number: number): Code | undefined {
  for (const name of Object.keys(codes)) if (isCode(name) && codes[name].number === number) return name
  return undefined
}

const isCode = (name: string): name is Code => name in codes

/** What a refusal means, for callers that cannot do anything about it. */
const codeOfReason: ReadonlyMap<number, Code> = new Map<number, Code>([
  [commonReasons.NOMEM, "VBUSY"],
  [fssyncReasons.SALVAGE, "VSALVAGING"],
  [fssyncReasons.EXCLUSIVE, "VBUSY"],
  [fssyncReasons.UNKNOWN_VOLID, "VNOVOL"],
  [fssyncReasons.WRONG_PART, "VNOVOL"],
  [fssyncReasons.BAD_PART, "ENOENT"],
  [fssyncReasons.HDR_NOT_ATTACHED, "ENOENT"],
  [fssyncReasons.NO_PENDING_VOL_OP, "ENOENT"],
  [fssyncReasons.UNKNOWN_VNID, "VNOVNODE"],
  [fssyncReasons.PART_SCANNING, "VBUSY"],
])

/**
 * The answer, if it is OK.
 * @throws AfsError by the refusal's reason (VSALVAGING, VBUSY, VNOVOL, ENOENT, …; a volume error code as itself), else DENIED
 */
export function requireOk<T>(reply: SyncReply<T>, operation: string, subject: Subject = {}): SyncReply<T> {
  if (reply.response === responses.OK) return reply
  const code = codeOfReason.get(reply.reason) ?? codeOf(reply.reason) ?? "DENIED"
  const said = `the fileserver answers ${nameIn(responses, reply.response)} ${reasonName(reply.reason)}`
  throw new AfsError(code, operation, subject, { detail: said })
}
