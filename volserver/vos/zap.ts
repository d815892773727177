/** `dafs vos zap`: a volume goes, whatever state it is in. */

import type { VolserverContext } from "../context.ts"
import { zapVolume } from "../operations/zap.ts"
import { asVolumeId, findVolume, type VolumePlace } from "../volume-list.ts"
import { flag } from "./option.ts"
import { onePartition, volumeOption } from "./place.ts"
import { vosCommand } from "./vos-command.ts"

/** With --force an id is enough: there may be no readable header any more. */
function placeToZap(context: VolserverContext, volume: string, force: boolean): VolumePlace {
  const id = asVolumeId(volume)
  if (!force || id === undefined) return findVolume(context.partitions, volume)
  return { partition: onePartition(context), id }
}

export const command = vosCommand({
  usage: "zap [volume]",
  describe: "Remove one volume, with --force also one that is too damaged to be attached",
  options: { ...volumeOption, force: flag("remove what is there, file by file if need be") },
  examples: [["vos zap 536870918 --partition /vicepa --force", "what is left of a damaged volume"]],
  run: (context, { volume, force }) => zapVolume(context, placeToZap(context, volume, force), { force }),
  print: ({ id, partition, dataLeft }) => {
    const rest = dataLeft ? "; salvage its volume group to free data that nobody uses" : ""
    return `Volume ${id} on partition ${partition} removed${rest}\n`
  },
})
