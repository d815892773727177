/** What a `dafs vos` subcommand is: options, the work, and how its result reads. */
import { openafsDescription, stateDirectoryDescription } from "../../common/cli/place-options.ts"
import type { VolserverContext } from "../context.ts"
import { flag, maybe, number, type OptionTable, text, texts, type ValuesOf } from "./option.ts"

/** Options that every subcommand has. */
export const commonOptions = {
  partition: texts("a partition: its directory, or a name as in /vicepa or a (default: all of this machine)"),
  openafs: maybe(openafsDescription),
  "state-dir": text(stateDirectoryDescription),
  offline: flag("work without a fileserver; refused while one answers"),
  json: flag("print the result as one JSON document"),
  volserver: flag("let the volserver do it"),
  quiet: flag("show no progress"),
  timeout: number("seconds after which a server that does not answer is given up (default: never)"),
} as const satisfies OptionTable
export type CommonValues = ValuesOf<typeof commonOptions>

/** One subcommand. `T` are its own options, `R` what it gives. */
export interface VosCommand<T extends OptionTable, R> {
  /** Name and the positional argument, `dump [volume]`. */
  readonly usage: string
  readonly describe: string
  readonly options: T
  /** Words after `dafs`, and what they do. */
  readonly examples: readonly (readonly [words: string, what: string])[]
  readonly run: (context: VolserverContext, values: ValuesOf<T> & CommonValues) => Promise<R>
  /** Lines for people; "" says nothing. */
  readonly print: (result: R, values: ValuesOf<T> & CommonValues) => string
  /** Neither looks at a volume nor changes one. */
  readonly needsNoFileserver?: boolean
  /** The result of `run` is on standard output already: nothing else may go there. */
  readonly writesOutput?: ((values: ValuesOf<T> & CommonValues) => boolean) | undefined
  /** It reads standard input. */
  readonly readsInput?: ((values: ValuesOf<T> & CommonValues) => boolean) | undefined
}

/** A subcommand whose types are known to itself alone. */
export interface AnyVosCommand {
  readonly usage: string
  readonly describe: string
  readonly options: OptionTable
  readonly examples: readonly (readonly [words: string, what: string])[]
  run(context: VolserverContext, values: never): Promise<unknown>
  print(result: never, values: never): string
  readonly needsNoFileserver?: boolean
  writesOutput?: ((values: never) => boolean) | undefined
  readsInput?: ((values: never) => boolean) | undefined
}

/** Ties the types of a subcommand together. */
export function vosCommand<const T extends OptionTable, R>(command: VosCommand<T, R>): VosCommand<T, R> {
  return command
}
