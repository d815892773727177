/**
 * Who callers are: ids and groups, as the cell's protection database knows them or, without one, as far as every cell agrees.
 *
 * Answers are kept here, so that asking again at each call costs a table look-up and a changed group is seen when its time has
 * come. OpenAFS viced/host.c (h_FindClient_r, hpr_*), ptserver/ptuser.c.
 */
import type { RpcConnection } from "../common/rpc/rpc-call.ts"

/** Somebody with a user's id, or nobody that is known. */
export interface UserIdentity {
  readonly id: number
  /** Current protection set: the user's id and all groups, ascending. */
  readonly cps: readonly number[]
  /** A member of system:administrators. */
  readonly isAdministrator: boolean
  /** Named in UserList, or everybody where a NoAuth file lies: looked up at each question. */
  readonly isSuperuser: boolean
}

export interface Protection {
  /**
   * Who calls over this connection. Kept with the connection: ask at each call.
   * @throws RpcError -1001 if the caller has a name and no protection server tells what it means
   */
  userOf(connection: RpcConnection): UserIdentity | Promise<UserIdentity>
  /**
   * Groups that have a host's address (IPv4 as a number) as a member, ascending; often none. Kept here for two hours, or for
   * seconds while no protection server answers: ask at each call. Never rejects.
   */
  hostGroups(address: number): readonly number[] | Promise<readonly number[]>
  /** The protection set of system:anyuser. */
  readonly anyUser: readonly number[]
  /** Ids of names, undefined for those unknown (`anonymous` is among these). @throws AfsError EINVAL if nobody can tell */
  idsOf(names: readonly string[]): readonly (number | undefined)[] | Promise<readonly (number | undefined)[]>
  /** Names of ids; the decimal of one that has none. Never rejects. */
  namesOf(ids: readonly number[]): readonly string[] | Promise<readonly string[]>
  /** Asks again for these users and hosts (addresses) when they come next: RXAFS_FlushCPS. */
  forget(users: readonly number[], addresses: readonly number[]): void
}

/** Nobody in particular; also the owner of what is made without authentication. */
export const anonymousId = 32_766
