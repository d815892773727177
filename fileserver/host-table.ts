/** Which hosts there are, and who calls. docs/serving.md; OpenAFS viced/host.c. */
import type { RpcCall } from "../common/rpc/rpc-call.ts"
import type { Host } from "./host.ts"
import type { UserIdentity } from "./protection.ts"

/** Host and user of a call. */
export interface Caller {
  readonly host: Host
  readonly user: UserIdentity
}

/** Hosts as statistics count them. */
export interface HostCounts {
  readonly hosts: number
  /** Called within the last 15 minutes. */
  readonly active: number
}

export interface HostTable {
  /**
   * Who calls: at once for a known connection, else after the host has said who it is and knows what it lost.
   * @throws RpcError -1 if the host cannot be called back; what `Protection.userOf` throws
   */
  callerOf(call: RpcCall): Caller | Promise<Caller>
  /** Who calls, if that is known already: for the translation of errors. */
  knownCaller(call: RpcCall): Caller | undefined
  counts(): HostCounts
}
