/**
 * The errors that a caller of this suite may see. Three kinds are never mixed: an *answer* (AfsError, expected),
 * *damage* (FormatError: the bytes are not what the format says) and a *bug* (any other exception).
 */
import { type Code, codes } from "./protocol/codes.ts"

/** What an error is about; every field that is known is given. */
export interface Subject {
  readonly volume?: number | undefined
  readonly partition?: string | undefined
  readonly vnode?: number | undefined
  readonly path?: string | undefined
  /** Byte offset in `path` (or in the stream). */
  readonly offset?: number | undefined
  /** Who stands in the way, for example `pid 4711 (davolserver)`. */
  readonly holder?: string | undefined
}

function describe(subject: Subject): string {
  const words: string[] = []
  if (subject.volume !== undefined) words.push(`volume ${subject.volume}`)
  if (subject.partition !== undefined) words.push(`on ${subject.partition}`)
  if (subject.vnode !== undefined) words.push(`vnode ${subject.vnode}`)
  if (subject.path !== undefined) words.push(`file ${subject.path}`)
  if (subject.offset !== undefined) words.push(`offset ${subject.offset}`)
  if (subject.holder !== undefined) words.push(`held by ${subject.holder}`)
  return words.join(" ")
}

/** An expected failure: what could not be done, why (a code), and to what. */
export class AfsError extends Error {
  override readonly name = "AfsError"
  readonly code: Code
  readonly operation: string
  readonly subject: Subject

  constructor(
    code: Code,
    operation: string,
    subject: Subject = {},
    options: { detail?: string; cause?: unknown } = {},
  ) {
    const about = describe(subject)
    const why = options.detail ?? (options.cause instanceof Error ? options.cause.message : undefined)
    super(
      `${operation}: ${codes[code].sentence} (${code})${about === "" ? "" : `, ${about}`}${why === undefined ? "" : `: ${why}`}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.code = code
    this.operation = operation
    this.subject = subject
  }
}

/** Bytes that are not what their format says. Names the structure, the file and offset, what was found and what was wanted. */
export class FormatError extends Error {
  override readonly name = "FormatError"
  readonly what: string
  /** File (or stream) the bytes came from, if the reader was told. */
  readonly path: string | undefined
  /** Byte offset in the file, if known. */
  readonly offset: number | undefined

  constructor(
    what: string,
    where: { path?: string | undefined; offset?: number | undefined },
    found: string,
    wanted?: string,
  ) {
    const place = [where.path, where.offset === undefined ? undefined : `offset ${where.offset}`]
      .filter((part) => part !== undefined)
      .join(" ")
    super(
      `${what}${place === "" ? "" : ` in ${place}`}: found ${found}${wanted === undefined ? "" : `, wanted ${wanted}`}`,
    )
    this.what = what
    this.path = where.path
    this.offset = where.offset
  }
}

/** True for an error with this code, without looking at its text. */
export function isAfsError(error: unknown, ...wanted: readonly Code[]): error is AfsError {
  return error instanceof AfsError && (wanted.length === 0 || wanted.includes(error.code))
}
