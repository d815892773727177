/** Reads the usual command lines of `dafs vos` without yargs. */
import { readPlainWords } from "../../common/cli/plain-words.ts"
import type { Values } from "./run.ts"
import { type AnyVosCommand, commonOptions } from "./vos-command.ts"

/** Names of the positional arguments of a usage such as `dump [volume]`. */
export function positionalOf(usage: string): string[] {
  return [...usage.matchAll(/\[([^\]]+)\]/g)].map((match) => match[1] ?? "")
}

/** The values of a subcommand's options and arguments; undefined if yargs has to look at the words (dashes joined). */
export function readCommandLine(command: AnyVosCommand, words: readonly string[]): Values | undefined {
  return readPlainWords<Values>({ ...command.options, ...commonOptions }, words, positionalOf(command.usage))
}
