/** What a server's code means to a person: errnos also in OpenAFS's own numbering, AFS's codes, failures of the transport. */
import { constants } from "node:os"
import { AfsError, type Subject } from "../common/error.ts"
import { type Code, codes } from "../common/protocol/codes.ts"
import { RpcError } from "../common/rpc/rpc-call.ts"

/** OpenAFS's table of errors: Linux's in order, without 58, which Linux does not have. OpenAFS util/uae.et. */
const translated = { first: 49_733_376, last: 49_733_376 + 122, missingErrno: 58 } as const
/** The peer is gone, or silent; busy; refused the service. OpenAFS rx/rx.h. */
const transportCodes = [-1, -3, -8, -10]

/** The errno, or AFS's code, for a number that a server sent. */
export function plainCode(code: number): number {
  if (code < translated.first || code > translated.last) return code
  const index = code - translated.first
  return index + 1 < translated.missingErrno ? index + 1 : index + 2
}

function codeOf(number: number): Code | undefined {
  for (const [code, row] of Object.entries(codes)) if (row.number === number) return code as Code // a key of `codes`
  return undefined
}

/** `EBUSY`, or the number where it has no name. */
export function codeName(number: number): string {
  const plain = plainCode(number)
  const known = codeOf(plain)
  if (known !== undefined) return known
  return Object.entries(constants.errno).find(([, errno]) => errno === plain)?.[0] ?? String(plain)
}

/** The error for people in place of what a stub threw; others pass. */
export function explained(error: unknown, operation: string, subject: Subject): unknown {
  if (!(error instanceof RpcError)) return error
  if (transportCodes.includes(error.code)) return new AfsError("UNREACHABLE", operation, subject, { cause: error })
  const code = codeOf(plainCode(error.code))
  if (code !== undefined) return new AfsError(code, operation, subject)
  return new RpcError(error.code, operation, { detail: codeName(error.code), cause: error })
}
