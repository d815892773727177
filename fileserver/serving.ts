/** What operations work with: the parts of a fileserver that have to do with clients. */
import type { Clock } from "../common/clock.ts"
import type { RXAFS } from "../common/protocol/afsint.ts"
import type { Operation } from "../common/protocol/rpc-interface.ts"
import type { Procedure } from "../common/rpc/service.ts"
import type { PackageLog } from "../common/volume/package-context.ts"
import type { VolumePackage } from "../common/volume/volume-package.ts"
import type { CallbackCounters } from "./callback-counters.ts"
import type { CallbackTable } from "./callback-table.ts"
import type { HostTable } from "./host-table.ts"
import type { Protection } from "./protection.ts"
import type { ServingCounters } from "./serving-counters.ts"

/** Whose changes a server takes: everybody's who has the rights, those of administrators only, or no one's. */
export type ChangesBy = "everybody" | "administrators" | "nobody"

export interface Serving {
  readonly changesBy: ChangesBy
  readonly volumes: VolumePackage
  readonly hosts: Pick<HostTable, "callerOf" | "knownCaller" | "counts">
  readonly callbacks: Pick<CallbackTable, "promise" | "break" | "forget" | "giveUp" | "giveUpAll">
  readonly protection: Protection
  readonly counters: ServingCounters
  callbackCounters(): CallbackCounters
  /** Connections of clients that are open now. */
  connections(): number
  /** Networks that this server is in (own-networks.ts). */
  readonly networks: ReadonlySet<number>
  readonly clock: Clock
  readonly log: PackageLog
}

type Operations = (typeof RXAFS)["operations"]

/** The procedure of an operation of RXAFS. */
export type RxafsProcedure<Name extends keyof Operations> = Operations[Name] extends Operation
  ? Procedure<Operations[Name]>
  : never
