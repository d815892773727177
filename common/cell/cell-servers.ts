/**
 * CellServDB: which machines have a cell's databases. A line `>cell [linked cell] #comment`, then one for each server:
 * `10.0.0.1 #name`, or `[10.0.0.1] #name` for a clone, which answers questions and has no vote.
 * OpenAFS auth/cellconfig.c (afsconf_ParseCellServDB), NetRestrict of clients aside.
 */
import type { Disk } from "../disk/disk.ts"
import { FormatError } from "../error.ts"
import { parseHost } from "../rx/datagram-port.ts"
import { lineFound, readConfiguration } from "./configuration-file.ts"

interface CellServer {
  /** IPv4 address as a number. */
  readonly address: number
  readonly name: string
  readonly isClone: boolean
}

export interface CellEntry {
  readonly name: string
  readonly linkedCell: string | undefined
  readonly servers: readonly CellServer[]
}

/** Part of the format. */
const serversMax = 8
const lineLengthMax = 255

/**
 * The entry of a cell (names compare without case), or undefined if there is no file or no entry. The last of several counts.
 * @throws FormatError for a line that is none: OpenAFS's programs refuse such a file as a whole
 */
export function readCellServers(directory: string, cell: string, disk: Disk): CellEntry | undefined {
  const path = `${directory}/CellServDB`
  const text = readConfiguration(path, disk)
  if (text === undefined) return undefined
  return parseCellServers(text, path).findLast(({ name }) => name.toLowerCase() === cell.toLowerCase())
}

/** All cells of a file, in its order. @throws FormatError */
export function parseCellServers(text: string, path?: string): CellEntry[] {
  const cells: (CellEntry & { readonly servers: CellServer[] })[] = []
  for (const [index, line] of text.split("\n").entries()) {
    const refuse = (wanted: string): never => {
      throw new FormatError("CellServDB", { path }, lineFound(index + 1, line), wanted)
    }
    if (line.length > lineLengthMax) refuse(`at most ${lineLengthMax} characters`)
    if (line.trim() === "") continue
    if (line.startsWith(">")) {
      cells.push({ ...(parseCell(line) ?? refuse(">cell #comment")), servers: [] })
      continue
    }
    const cell = cells.at(-1) ?? refuse("a cell (>name) before its servers")
    cell.servers.push(parseServer(line) ?? refuse("address #name"))
    if (cell.servers.length > serversMax) refuse(`at most ${serversMax} servers in a cell`)
  }
  return cells
}

function parseCell(line: string): Pick<CellEntry, "name" | "linkedCell"> | undefined {
  const [, name, linkedCell] = /^>([^\s#]+)(?:[ \t]+([^\s#]+))?\s*(?:#.*)?$/.exec(line) ?? []
  return name === undefined ? undefined : { name, linkedCell }
}

function parseServer(line: string): CellServer | undefined {
  const [, open, text = "", close, name] = /^\s*(\[?)([\d.]+)(\]?)\s*#\s*(\S+)/.exec(line) ?? []
  const address = parseHost(text)
  if (address === undefined || name === undefined || (open === "[") !== (close === "]")) return undefined
  return { address, name, isClone: open === "[" }
}
