/**
 * UserList: who may administer a cell's servers. Read as OpenAFS's servers read it, traps included, so that both admit the same
 * people. OpenAFS auth/userok.c, auth/authcon.c.
 */
import type { Disk } from "../disk/disk.ts"
import { readConfiguration } from "./configuration-file.ts"

/** Bytes of a line that are looked at. */
const lineLengthMax = 64

/** Kind of an extended entry: a name as Kerberos 4 and rxkad have them. */
const kerberos4Kind = 0

/**
 * Names in a file's text: `name`, `name.instance`, with `@cell` if foreign. An empty line, or one that begins with a space and is
 * not in the extended form (` kind base64 shown`), ends the list; a last line without a newline does not count.
 */
export function parseUserList(text: string): string[] {
  const names: string[] = []
  for (const line of text.split("\n").slice(0, -1)) {
    if (line.startsWith(" ")) {
      const name = extendedName(line)
      if (name === undefined) break
      if (name !== "") names.push(name)
      continue
    }
    const name = /^\s*(\S+)/.exec(line.slice(0, lineLengthMax))?.[1]
    if (name === undefined) break
    names.push(name)
  }
  return names
}

/** The name of an extended line; empty if it is of a kind that we know nobody of, undefined if the line is none. */
function extendedName(line: string): string | undefined {
  const [, kind, encoded] = /^ (\d+) ([A-Za-z0-9+/]+=*)(?:\s|$)/.exec(line) ?? []
  if (kind === undefined || encoded === undefined) return undefined
  return Number(kind) === kerberos4Kind ? Buffer.from(encoded, "base64").toString("latin1") : ""
}

/** Names in the UserList of a configuration directory; none if there is no file. @throws FormatError, DiskError */
export function readUserList(directory: string, disk: Disk): string[] {
  return parseUserList(readConfiguration(`${directory}/UserList`, disk) ?? "")
}
