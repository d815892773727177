/**
 * Superusers: whom a server obeys in its own administration. They have nothing to do with system:administrators, who are a
 * group of the protection database. OpenAFS auth/userok.c (afsconf_SuperIdentity).
 */
import { isOwnTicket, type LocalRealms, principalName, readLocalRealms } from "../common/cell/local-realms.ts"
import { readUserList } from "../common/cell/user-list.ts"
import { type Clock, secondsOf } from "../common/clock.ts"
import type { Disk } from "../common/disk/disk.ts"
import type { RpcUser } from "../common/rpc/rpc-call.ts"

export interface Superusers {
  /** Looked up anew at each question: the lists may have changed. Never throws. */
  has(user: RpcUser | undefined): boolean
}

export interface SuperuserFiles {
  /** Where NoAuth lies, if everybody is one. */
  readonly stateDirectory: string
  /** Where UserList lies; undefined: there is none. */
  readonly configurationDirectory: string | undefined
  readonly cell: string
}

/** Names in the form of lists: a stranger's cell may also stand there in lower case. */
function namesOf(user: RpcUser, realms: LocalRealms): string[] {
  const name = principalName(user, realms)
  const at = name.indexOf("@")
  return at < 0 ? [name] : [name, name.slice(0, at) + name.slice(at).toLowerCase()]
}

/** Superusers as the files of a server say. A list that cannot be read names nobody, and one line in the log says so. */
export function superusersOf(
  { stateDirectory, configurationDirectory, cell }: SuperuserFiles,
  disk: Disk,
  clock: Clock,
  log: { warn(facts: object, message: string): void },
): Superusers {
  const isListed = (user: RpcUser): boolean => {
    if (configurationDirectory === undefined) return false
    const listed = readUserList(configurationDirectory, disk)
    return namesOf(user, readLocalRealms(configurationDirectory, cell, disk)).some((name) => listed.includes(name))
  }
  return {
    has(user) {
      try {
        if (disk.stat(`${stateDirectory}/NoAuth`) !== undefined) return true
        if (user === undefined || user.expires <= secondsOf(clock.now())) return false
        return isOwnTicket(user) || isListed(user)
      } catch (err) {
        log.warn({ err }, "the list of superusers cannot be read: nobody is one")
        return false
      }
    },
  }
}
