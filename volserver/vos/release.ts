/** `dafs vos release`: makes or renews the read-only volume on the same partition. */
import { releaseVolume } from "../operations/release.ts"
import { number } from "./option.ts"
import { placeOf, volumeOption } from "./place.ts"
import { vosCommand } from "./vos-command.ts"

export const command = vosCommand({
  usage: "release [volume]",
  describe: "Release a volume to its read-only clone on the same partition",
  options: { ...volumeOption, toid: number("id of the read-only volume (default: as before, else the next free one)") },
  examples: [["vos release software --partition /vicepa", "software.readonly is software as it is now"]],
  run: (context, values) => releaseVolume(context, placeOf(context, values), { id: values.toid }),
  print: ({ id, name, source }) => `Released volume ${source} to ${id} (${name})\n`,
})
