/** `dafs vos convertROtoRW`: a read-only volume takes the place of its lost read-write volume. */
import { convertToReadWrite } from "../operations/convert.ts"
import { placeOf, volumeOption } from "./place.ts"
import { vosCommand } from "./vos-command.ts"

export const command = vosCommand({
  usage: "convertROtoRW [volume]",
  describe: "Turn a read-only volume into the read-write volume that was lost",
  options: { ...volumeOption },
  examples: [["vos convertROtoRW software.readonly --partition /vicepa", "software can be written to again"]],
  run: (context, values) => convertToReadWrite(context, placeOf(context, values)),
  print: ({ id, name, from, partition }) =>
    `Volume ${from} on partition ${partition} is now the read-write volume ${id} (${name})\n`,
})
