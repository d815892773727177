/** `dafs vos size`: bytes that a dump would take. */
import { dumpSize } from "../operations/dump.ts"
import { readVolume } from "../volume-list.ts"
import { shownName } from "../volume-name.ts"
import { parseDate } from "./date.ts"
import { flag, text } from "./option.ts"
import { placeOf, volumeOption } from "./place.ts"
import { vosCommand } from "./vos-command.ts"

export const command = vosCommand({
  usage: "size [volume]",
  describe: "Compute the size of a volume's dump",
  options: {
    ...volumeOption,
    dump: flag("accepted, always on"),
    time: text("of an incremental dump since this date"),
    omitdirs: flag("without directories that have not changed"),
  },
  examples: [["vos size home.ann --partition /vicepa", "bytes of a full dump"]],
  run: async (context, values) => {
    const place = placeOf(context, values)
    const { name } = readVolume(place.partition, place.id).info
    const from = values.time === undefined ? 0 : parseDate(values.time)
    const size = await dumpSize(context, place, { from, omitDirectories: values.omitdirs })
    return { id: place.id, name: shownName(name), from, dumpSize: size }
  },
  print: ({ name, dumpSize: size }) => `Volume: ${name}\ndump_size: ${size}\n`,
})
