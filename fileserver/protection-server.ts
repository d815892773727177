/**
 * Protection by the cell's protection servers. Their silence never stops the fileserver: callers without a name are served with
 * the groups of every cell, hosts' groups count for nothing until somebody answers, and only callers with a name are refused,
 * since too small a protection set could also lack what an access list takes away.
 * OpenAFS viced/host.c (hpr_*, h_FindClient_r), ptserver/ptuser.c.
 */
import { type DatabaseCalls, NoDatabase } from "../common/cell/database-calls.ts"
import { type LocalRealms, principalName } from "../common/cell/local-realms.ts"
import type { Clock, Millis } from "../common/clock.ts"
import { AfsError } from "../common/error.ts"
import { noSuchUser, type PR } from "../common/protocol/ptint.ts"
import type { Stubs } from "../common/rpc/client.ts"
import { isRpcError, type RpcConnection, RpcError, type RpcUser } from "../common/rpc/rpc-call.ts"
import { knownGroups, knownName } from "../common/vnode/access-list.ts"
import { anonymousId, type Protection, type UserIdentity } from "./protection.ts"
import type { Superusers } from "./superusers.ts"
import { anonymousCps, anyUserCps, identityOf, knownId } from "./well-known-protection.ts"

type Operations = (typeof PR)["operations"]
type ProtectionStubs = Stubs<Operations>

export interface ProtectionServerOptions {
  readonly calls: Pick<DatabaseCalls<Operations>, "call">
  readonly superusers: Superusers
  /** Which names are the cell's own; read at each new caller. @throws FormatError, DiskError */
  readonly localRealms: () => LocalRealms
  readonly clock: Clock
  readonly log: { info(facts: object, message: string): void; warn(facts: object, message: string): void }
}

const secondMs = 1000
/** Groups are asked for again after this. */
const keptMs = 7_200 * secondMs
/** The same for what was not learnt because nobody answered; also how often silent servers are tried. */
const retryMs = 30 * secondMs
/** How long the first callers wait for servers that were never heard yet. */
const patienceMs = 2 * secondMs
/** Hosts whose groups are kept; more make all forgotten, since anybody can come from any address. */
const hostsMax = 65_536
const flushesMax = 4_096
/** Characters of a name in the protection database. */
const nameLengthMax = 63
/** What clients take for a server that cannot be reached. OpenAFS viced/host.c, VICE's -1001. */
const unreachable = -1001

interface KeptUser {
  readonly identity: UserIdentity
  usedAt: Millis
  /** How often something was declared stale before it was asked for. */
  readonly flushes: number
}

interface KeptGroups {
  readonly groups: readonly number[]
  readonly until: Millis
}

const ascending = (ids: readonly number[]): readonly number[] => [...ids].sort((one, other) => one - other)

export class ProtectionServer implements Protection, Disposable {
  readonly #options: ProtectionServerOptions
  #anyUser = anyUserCps
  #anonymous: UserIdentity
  /** Whether somebody answered when last asked; undefined: nobody was asked yet. */
  #isUp: boolean | undefined
  #isSilenceLogged = false
  #probing: Promise<void> | undefined
  #cancelRetry: (() => void) | undefined
  readonly #users = new WeakMap<RpcConnection, KeptUser | Promise<UserIdentity>>()
  readonly #hosts = new Map<number, KeptGroups | Promise<readonly number[]>>()
  /** Counts what is declared stale; by user, the count of the last time. */
  #flushes = 0
  readonly #flushed = new Map<number, number>()
  #allFlushed = 0

  constructor(options: ProtectionServerOptions) {
    this.#options = options
    this.#anonymous = this.#anonymousWith(anonymousCps)
    this.#probe()
  }

  [Symbol.dispose](): void {
    this.#cancelRetry?.()
    this.#cancelRetry = () => undefined
  }

  get anyUser(): readonly number[] {
    return this.#anyUser
  }

  userOf(connection: RpcConnection): UserIdentity | Promise<UserIdentity> {
    const { user } = connection
    if (user === undefined) return this.#anonymous
    const kept = this.#users.get(connection)
    if (kept === undefined) return this.#findUser(connection, user)
    if (kept instanceof Promise) return kept
    const now = this.#now()
    if (now - kept.usedAt > keptMs || kept.flushes < this.#flushesOf(kept.identity.id))
      return this.#findUser(connection, user)
    kept.usedAt = now
    return kept.identity
  }

  hostGroups(address: number): readonly number[] | Promise<readonly number[]> {
    const kept = this.#hosts.get(address)
    if (kept !== undefined && (kept instanceof Promise || kept.until > this.#now()))
      return kept instanceof Promise ? kept : kept.groups
    if (this.#isUp === false) return this.#keepGroups(address, [], retryMs)
    const found = this.#findGroups(address)
    this.#hosts.set(address, found)
    return found
  }

  async idsOf(names: readonly string[]): Promise<readonly (number | undefined)[]> {
    const known = names.map(knownId)
    if (this.#isUp !== true && known.every((id) => id !== undefined)) return known
    const nlist = names.map((name) => name.toLowerCase().slice(0, nameLengthMax))
    try {
      const { ilist } = await this.#ask((pr) => pr.NameToID({ nlist }))
      return names.map((_, index) => (ilist[index] === anonymousId ? undefined : ilist[index]))
    } catch (cause) {
      if (known.every((id) => id !== undefined)) return known
      throw new AfsError("EINVAL", "idsOf", {}, { cause })
    }
  }

  async namesOf(ids: readonly number[]): Promise<readonly string[]> {
    if (this.#isUp === false || ids.length === 0) return ids.map(knownName)
    try {
      const { nlist } = await this.#ask((pr) => pr.IDToName({ ilist: ids }))
      return ids.map((id, index) => nlist[index] ?? knownName(id))
    } catch {
      return ids.map(knownName)
    }
  }

  forget(users: readonly number[], addresses: readonly number[]): void {
    for (const address of addresses) this.#hosts.delete(address >>> 0)
    this.#flushes++
    if (this.#flushed.size + users.length > flushesMax) {
      this.#flushed.clear()
      this.#allFlushed = this.#flushes
    }
    for (const user of users) this.#flushed.set(user, this.#flushes)
  }

  #now(): Millis {
    return this.#options.clock.now()
  }

  #flushesOf(id: number): number {
    return Math.max(this.#allFlushed, this.#flushed.get(id) ?? 0)
  }

  #anonymousWith(cps: readonly number[]): UserIdentity {
    return identityOf(anonymousId, cps, () => this.#options.superusers.has(undefined))
  }

  #findUser(connection: RpcConnection, user: RpcUser): Promise<UserIdentity> {
    const flushes = this.#flushes
    const found = this.#identify(user).then(
      (identity) => {
        this.#users.set(connection, { identity, usedAt: this.#now(), flushes })
        return identity
      },
      (error) => {
        this.#users.delete(connection)
        throw error
      },
    )
    this.#users.set(connection, found)
    return found
  }

  /** @throws RpcError -1001 */
  async #identify(user: RpcUser): Promise<UserIdentity> {
    const name = principalName(user, this.#options.localRealms()).toLowerCase().slice(0, nameLengthMax)
    try {
      const { ilist } = await this.#ask((pr) => pr.NameToID({ nlist: [name] }))
      const [id = anonymousId] = ilist
      const cps = id === anonymousId ? this.#anonymous.cps : await this.#groupsOf(id)
      const known = cps === undefined ? { id: anonymousId, cps: this.#anonymous.cps } : { id, cps }
      return identityOf(known.id, known.cps, () => this.#options.superusers.has(user))
    } catch (cause) {
      this.#options.log.warn({ err: cause, user: name }, "a caller's groups cannot be learnt")
      throw new RpcError(unreachable, "userOf", { cause })
    }
  }

  /** Undefined: there is nobody of that id. */
  async #groupsOf(id: number): Promise<readonly number[] | undefined> {
    try {
      const { elist, over } = await this.#ask((pr) => pr.GetCPS({ id }))
      if (over !== 0)
        this.#options.log.warn({ user: id, groups: elist.length }, "a user's list of groups is not complete")
      return ascending(elist)
    } catch (error) {
      if (isRpcError(error, noSuchUser)) return undefined
      throw error
    }
  }

  async #findGroups(address: number): Promise<readonly number[]> {
    try {
      await this.#firstAnswer()
      if (this.#isUp === false) return this.#keepGroups(address, [], retryMs)
      const { elist } = await this.#ask((pr) => pr.GetHostCPS({ host: address | 0 }))
      return this.#keepGroups(address, ascending(elist), keptMs)
    } catch (err) {
      if (!(err instanceof NoDatabase))
        this.#options.log.warn({ err, host: address }, "a host's groups cannot be learnt")
      return this.#keepGroups(address, [], retryMs)
    }
  }

  #keepGroups(address: number, groups: readonly number[], ms: Millis): readonly number[] {
    if (this.#hosts.size >= hostsMax) this.#hosts.clear()
    this.#hosts.set(address, { groups, until: this.#now() + ms })
    return groups
  }

  /** Calls one of the servers; notes whether there is any. @throws RpcError, NoDatabase */
  async #ask<T>(make: (pr: ProtectionStubs) => Promise<T>): Promise<T> {
    try {
      const answer = await this.#options.calls.call(make)
      this.#cameUp()
      return answer
    } catch (error) {
      if (error instanceof NoDatabase) this.#wentDown(error)
      else this.#cameUp()
      throw error
    }
  }

  #cameUp(): void {
    if (this.#isSilenceLogged) this.#options.log.info({}, "a protection server answers again")
    this.#isSilenceLogged = false
    this.#isUp = true
  }

  #wentDown(err: NoDatabase): void {
    if (!this.#isSilenceLogged)
      this.#options.log.warn({ err }, "no protection server answers: groups of hosts do not count")
    this.#isSilenceLogged = true
    this.#isUp = false
    this.#cancelRetry ??= this.#options.clock.after(retryMs, () => {
      this.#cancelRetry = undefined
      this.#probe()
    })
  }

  /** Asks what everybody's and nobody's groups are, and so whether anybody answers. */
  #probe(): void {
    this.#probing ??= this.#learnCommonGroups()
      .catch((err: unknown) => {
        if (!(err instanceof NoDatabase)) this.#options.log.warn({ err }, "the groups of everybody cannot be learnt")
      })
      .finally(() => {
        this.#probing = undefined
      })
  }

  async #learnCommonGroups(): Promise<void> {
    const ofAnyUser = await this.#groupsOf(knownGroups["system:anyuser"])
    const ofAnonymous = await this.#groupsOf(anonymousId)
    this.#anyUser = ofAnyUser ?? anyUserCps
    this.#anonymous = this.#anonymousWith(ofAnonymous ?? anonymousCps)
  }

  /** Waits for the first answer of all, but not for long. */
  async #firstAnswer(): Promise<void> {
    if (this.#isUp !== undefined || this.#probing === undefined) return
    let cancel: (() => void) | undefined
    const patience = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(patienceMs, resolve)
    })
    await Promise.race([this.#probing, patience])
    cancel?.()
    this.#isUp ??= false
  }
}
