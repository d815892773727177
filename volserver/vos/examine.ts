/** `dafs vos examine`: all about one volume. */
import { examineVolume } from "../operations/examine.ts"
import { flag } from "./option.ts"
import { placeOf, volumeOption } from "./place.ts"
import { longLines } from "./volume-lines.ts"
import { vosCommand } from "./vos-command.ts"

export const command = vosCommand({
  usage: "examine [volume]",
  describe: "Show a volume: fields, dates, and whether clients get it",
  options: { ...volumeOption, extended: flag("with statistics of use") },
  examples: [["vos examine home.ann --partition /vicepa", "fields, dates, state"]],
  run: (context, values) => examineVolume(context, placeOf(context, values)),
  print: (volume, { extended }) => longLines(volume, extended),
})
