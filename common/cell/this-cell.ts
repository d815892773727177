/** ThisCell: the name of the cell that a server belongs to. OpenAFS auth/cellconfig.c. */
import type { Disk } from "../disk/disk.ts"
import { FormatError } from "../error.ts"
import { readConfiguration } from "./configuration-file.ts"

/** Longest name of a cell. */
const nameLengthMax = 63

/**
 * The first word of the first line, or undefined if there is no such file.
 * @throws FormatError for a file without a word, or a word that names no cell
 */
export function readThisCell(directory: string, disk: Disk): string | undefined {
  const path = `${directory}/ThisCell`
  const text = readConfiguration(path, disk)
  if (text === undefined) return undefined
  const name = /^[^\n]*?([^\s]+)/.exec(text)?.[1]
  if (name !== undefined && name.length <= nameLengthMax && /^[\x21-\x7e]+$/.test(name)) return name
  throw new FormatError("ThisCell", { path }, JSON.stringify(text.slice(0, 80)), "the name of a cell in the first line")
}
