/**
 * Which names are local: those of the cell's own realm, or of a realm in krb.conf, unless krb.excl names the very person.
 * OpenAFS auth/realms.c.
 */
import type { Disk } from "../disk/disk.ts"
import type { RpcUser } from "../rpc/rpc-call.ts"
import { readConfiguration } from "./configuration-file.ts"

export interface LocalRealms {
  /** Lower case: the cell's name and the realms of krb.conf. */
  readonly realms: ReadonlySet<string>
  /** `name@REALM` of those who are foreign nevertheless. */
  readonly excluded: ReadonlySet<string>
}

/** @throws FormatError, DiskError */
export function readLocalRealms(directory: string, cell: string, disk: Disk): LocalRealms {
  const [line = ""] = (readConfiguration(`${directory}/krb.conf`, disk) ?? "").split("\n")
  const words = line.split(/\s+/).filter((word) => word !== "")
  const excluded = (readConfiguration(`${directory}/krb.excl`, disk) ?? "").split("\n").map((name) => name.trim())
  return {
    realms: new Set([cell, ...words].map((realm) => realm.toLowerCase())),
    excluded: new Set(excluded.filter((name) => name !== "")),
  }
}

/** `name` or `name.instance`. */
const plainName = ({ name, instance }: RpcUser): string => (instance === "" ? name : `${name}.${instance}`)

/** The name as lists of people have it: `name[.instance]` of somebody local, `name[.instance]@cell` of a stranger. */
export function principalName(user: RpcUser, { realms, excluded }: LocalRealms): string {
  const name = plainName(user)
  if (user.cell === "") return name
  const full = `${name}@${user.cell}`
  return realms.has(user.cell.toLowerCase()) && !excluded.has(full) ? name : full
}

/** A ticket made from the cell's own key: whoever has the key is the cell. */
export const isOwnTicket = ({ name, instance, cell }: RpcUser): boolean =>
  name === "afs" && instance === "" && cell === ""
