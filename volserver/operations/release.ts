/** Release of a read-write volume to a read-only clone on its own partition. */
import type { VolserverContext } from "../context.ts"
import type { VolumePlace } from "../volume-list.ts"
import { permanentClone } from "./backup.ts"
import type { ClonedVolume } from "./clone.ts"

/** @throws AfsError EINVAL if the volume is not read-write; and as cloneVolume */
export async function releaseVolume(
  context: VolserverContext,
  source: VolumePlace,
  options: { readonly id?: number | undefined } = {},
): Promise<ClonedVolume> {
  return permanentClone(context, source, "RO", options.id)
}
