/**
 * Uses of volumes that FSSYNC clients began with GET: per connection, until PUT or the end of the connection. The server
 * does nothing on behalf of such a use, so one that is asked to end (its volume has to go offline) ends at once; its PUT
 * then tells why. A connection keeps a bounded number of them.
 */
import type { Code } from "../common/protocol/codes.ts"
import type { Eventually } from "../common/volume/handover.ts"
import type { VolumeUse } from "../common/volume/server-volume.ts"
import type { VolumePackage } from "../common/volume/volume-package.ts"

interface UsingChannel {
  readonly closed: AbortSignal
}

/** Uses that one connection may keep, those included that have ended without a PUT: enough to attach any server's volumes. */
const usesMax = 16_384

/** How a use ended: by PUT, by the volume going offline (with the code for the client), or it never was. */
export type UseEnding = "ended" | "unknown" | { readonly aborted: Code }

interface UsesOfChannel {
  count: number
  readonly byVolume: Map<number, VolumeUse[]>
}

export class ChannelUses {
  readonly #volumes: VolumePackage
  readonly #usesMax: number
  readonly #uses = new Map<object, UsesOfChannel>()

  constructor(volumes: VolumePackage, max: number = usesMax) {
    this.#volumes = volumes
    this.#usesMax = max
  }

  /** False for a connection that keeps as many uses as it may. */
  hasRoom(channel: UsingChannel): boolean {
    return (this.#uses.get(channel)?.count ?? 0) < this.#usesMax
  }

  /** Begins a use. @throws AfsError what a client gets */
  begin(channel: UsingChannel, volume: number): Eventually<void> {
    const use = this.#volumes.acquire(volume)
    if (use instanceof Promise) return use.then((later) => this.#keep(channel, later))
    this.#keep(channel, use)
  }

  /** Ends the latest use of a volume. */
  end(channel: UsingChannel, volume: number): UseEnding {
    const ofChannel = this.#uses.get(channel)
    const uses = ofChannel?.byVolume.get(volume)
    const use = uses?.pop()
    if (ofChannel === undefined || use === undefined) return "unknown"
    ofChannel.count--
    if (uses?.length === 0) ofChannel.byVolume.delete(volume)
    use.release()
    return use.abortCode === undefined ? "ended" : { aborted: use.abortCode }
  }

  /** Ends every use of a connection. */
  endAll(channel: UsingChannel): void {
    for (const uses of this.#uses.get(channel)?.byVolume.values() ?? []) for (const use of uses) use.release()
    this.#uses.delete(channel)
  }

  #keep(channel: UsingChannel, use: VolumeUse): void {
    if (channel.closed.aborted) {
      use.release()
      return
    }
    use.onAbort = () => use.release()
    const ofChannel = this.#uses.get(channel) ?? { count: 0, byVolume: new Map<number, VolumeUse[]>() }
    this.#uses.set(channel, ofChannel)
    const uses = ofChannel.byVolume.get(use.volume.id) ?? []
    ofChannel.byVolume.set(use.volume.id, uses)
    uses.push(use)
    ofChannel.count++
  }
}
