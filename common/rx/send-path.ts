/** A connection and its endpoint, as far as they bound and serve what a call sends. */
import type { Millis } from "../clock.ts"
import type { RxLimits, RxTiming } from "./limits.ts"
import type { PacketPool } from "./packet-pool.ts"
import type { Peer } from "./peer.ts"
import type { Security } from "./security/security.ts"
import type { RxStatistics } from "./statistics.ts"

export interface SendPath {
  readonly peer: Peer
  /** The reply acknowledges the request, so its last packet waits longer. */
  readonly isClient: boolean
  readonly security: Pick<Security, "headerSize" | "trailerSize">
  readonly endpoint: {
    readonly pool: PacketPool
    readonly limits: Pick<RxLimits, "sendQueue">
    readonly timing: Pick<RxTiming, "resendMaxMs">
    /** Our own packets per jumbogram; above 1 packets are filled for them. */
    readonly jumbograms: number
    readonly statistics: RxStatistics
    currentTime(): Millis
  }
}
