/** `dafs vos dump`: a volume as a stream. */
import { openByteSink } from "../../common/disk/node-disk.ts"
import { dumpVolume } from "../operations/dump.ts"
import { parseDate, shownDate } from "./date.ts"
import { flag, text } from "./option.ts"
import { placeOf, volumeOption } from "./place.ts"
import { vosCommand } from "./vos-command.ts"

export const command = vosCommand({
  usage: "dump [volume]",
  describe: "Dump a volume to a file or to standard output",
  options: {
    ...volumeOption,
    file: text("the file; - or nothing: standard output"),
    time: text("only what changed since this date; 0 or nothing: everything"),
    clone: flag("dump a clone made for it, so that the volume is busy for a moment only"),
    omitdirs: flag("leave out directories that have not changed"),
  },
  examples: [
    ["vos dump home.ann --file ann.dump --partition /vicepa", "a full dump"],
    ['vos dump home.ann --time "11/21/2026 10:00" --file ann.inc --partition /vicepa', "what changed since"],
  ],
  run: async (context, values) => {
    const place = placeOf(context, values)
    const from = values.time === undefined ? 0 : parseDate(values.time)
    using sink = openByteSink(values.file ?? "-")
    const dumped = await dumpVolume(context, {
      place,
      from,
      omitDirectories: values.omitdirs,
      sink,
      viaClone: values.clone,
    })
    sink.finish()
    return { ...dumped, file: sink.path }
  },
  print: ({ id, name, length, file, from }) => {
    const since = from === 0 ? "" : `, what changed since ${shownDate(from)}`
    return `Dumped volume ${id} (${name}) to ${file}: ${length} bytes${since}\n`
  },
  writesOutput: ({ file }) => file === undefined || file === "-",
})
