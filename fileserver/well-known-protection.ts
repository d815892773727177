/**
 * Protection without a protection server: everybody is anonymous, groups are those of every cell, and other users and groups
 * go by their numbers.
 */
import { AfsError } from "../common/error.ts"
import { knownGroups, knownName } from "../common/vnode/access-list.ts"
import { anonymousId, type Protection, type UserIdentity } from "./protection.ts"
import type { Superusers } from "./superusers.ts"

const anyUserGroup = knownGroups["system:anyuser"]
/** Ascending, as all protection sets. */
export const anyUserCps: readonly number[] = [anyUserGroup]
export const anonymousCps: readonly number[] = [anyUserGroup, anonymousId]
const noGroups: readonly number[] = []
/** A user's or group's number in decimal. */
const idPattern = /^-?\d{1,10}$/

/** Somebody of that id and these groups; `isSuperuser` is asked at each look. */
export function identityOf(id: number, cps: readonly number[], isSuperuser: () => boolean): UserIdentity {
  return {
    id,
    cps,
    isAdministrator: cps.includes(knownGroups["system:administrators"]),
    get isSuperuser() {
      return isSuperuser()
    },
  }
}

/** The id of a name that needs no database: a group of every cell, or a number. */
export function knownId(name: string): number | undefined {
  const lower = name.toLowerCase()
  const group = Object.entries(knownGroups).find(([known]) => known === lower)
  if (group !== undefined) return group[1]
  const id = idPattern.test(name) ? Number(name) : 0
  return id === 0 || id !== (id | 0) || id === anonymousId ? undefined : id
}

/** The protection of a server that belongs to no cell. */
export function wellKnownProtection(superusers: Superusers): Protection {
  const anonymous = identityOf(anonymousId, anonymousCps, () => superusers.has(undefined))
  return {
    anyUser: anyUserCps,
    userOf: ({ user }) => (user === undefined ? anonymous : unknownUser(user.name)),
    hostGroups: () => noGroups,
    idsOf: (names) => names.map(knownId),
    namesOf: (ids) => ids.map(knownName),
    forget() {
      // Nothing is kept.
    },
  }
}

/** A proved name, and nobody to ask what it stands for. */
function unknownUser(name: string): never {
  throw new AfsError("EACCES", "userOf", {}, { detail: `no protection server is configured that knows ${name}` })
}
