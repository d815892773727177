/** Callback promises: what clients were promised to be told, and telling them. docs/serving.md; OpenAFS viced/callback.c. */
import type { Millis } from "../common/clock.ts"
import type { AFSCallBack, AFSFid } from "../common/protocol/afs-types.ts"
import type { CallbackBreaker } from "../common/volume/package-context.ts"
import type { CallbackCounters } from "./callback-counters.ts"
import type { Host } from "./host.ts"

export interface CallbackTable extends CallbackBreaker {
  /**
   * Promises a host to tell it of changes; gives what the client is told. On a volume that nobody writes to, the promise is
   * for the volume. The same object may be given again.
   */
  promise(host: Host, fid: AFSFid, isWritable: boolean, now: Millis, isBulk: boolean): AFSCallBack
  /** The host does not want to know any more. (volume, 0, 0) stands for the promise on a read-only volume. */
  giveUp(host: Host, fids: readonly AFSFid[]): void
  giveUpAll(host: Host): void
  /**
   * Tells everybody who has a promise on the object, except one. Undefined: there was nobody to tell; else resolves when all
   * were told or given up on. Never rejects.
   */
  break(fid: AFSFid, except?: Host): Promise<void> | undefined
  /** The object is no more: its promises go without a message. */
  forget(fid: AFSFid): void
  /** Tells everybody with a promise on anything in the volume; does not wait. */
  breakVolume(id: number): void
  counters(): CallbackCounters
}
