/** `dafs vos clone`: a clone under a name of its own. */
import { AfsError } from "../../common/error.ts"
import { cloneVolume } from "../operations/clone.ts"
import { readVolume } from "../volume-list.ts"
import { shownName } from "../volume-name.ts"
import { flag, number, text } from "./option.ts"
import { placeOf, volumeOption } from "./place.ts"
import { vosCommand } from "./vos-command.ts"

export const command = vosCommand({
  usage: "clone [volume]",
  describe: "Make a clone of a volume, sharing its files",
  options: {
    volume: { ...volumeOption.volume, alias: ["id"] },
    toname: text("name of the clone (default: the volume's, and .clone)"),
    toid: number("its id (default: the next free one); an existing clone of the volume is renewed"),
    readonly: flag("a read-only volume (default: a backup volume)"),
    readwrite: flag("refused: OpenAFS's fileserver would lose the files of such a volume"),
    "leave-offline": flag("leave the clone offline"),
  },
  examples: [["vos clone home.ann --toname home.ann.monday --partition /vicepa", "a snapshot"]],
  run: async (context, values) => {
    if (values.readwrite) {
      const detail =
        "a read-write clone would put new files outside its volume group; dump and restore the volume instead"
      throw new AfsError("EINVAL", "clone", {}, { detail })
    }
    const source = placeOf(context, values)
    const name = values.toname ?? `${shownName(readVolume(source.partition, source.id).info.name)}.clone`
    const type = values.readonly ? "RO" : "BK"
    return cloneVolume(context, { source, name, type, id: values.toid, offline: values["leave-offline"] })
  },
  print: ({ id, name, source, again }) =>
    `${again ? "Renewed" : "Created"} clone ${id} (${name}) of volume ${source}\n`,
})
