/** `dafs vos rename`: another name for a volume and its clones. */
import { renameVolume } from "../operations/rename.ts"
import { findVolume } from "../volume-list.ts"
import { requiredText } from "./option.ts"
import { vosCommand } from "./vos-command.ts"

export const command = vosCommand({
  usage: "rename [oldname] [newname]",
  describe: "Rename a read-write volume and its clones",
  options: {
    oldname: requiredText("the volume: name or id"),
    newname: requiredText("its new name, at most 22 bytes"),
  },
  examples: [["vos rename home.ann home.anne --partition /vicepa", "also .readonly and .backup"]],
  run: (context, { oldname, newname }) => renameVolume(context, findVolume(context.partitions, oldname), newname),
  print: (renamed) => renamed.map(({ id, oldName, name }) => `Renamed volume ${id}: ${oldName} to ${name}\n`).join(""),
})
