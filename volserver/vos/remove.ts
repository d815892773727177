/** `dafs vos remove`: a volume and its backup go. */
import { removeVolume } from "../operations/remove.ts"
import { flag } from "./option.ts"
import { placeOf, volumeOption } from "./place.ts"
import { vosCommand } from "./vos-command.ts"

export const command = vosCommand({
  usage: "remove [volume]",
  describe: "Remove a volume, and its backup volume",
  options: { ...volumeOption, "keep-backup": flag("leave the backup volume") },
  examples: [["vos remove home.ann --partition /vicepa", "the volume is gone, its read-only clone stays"]],
  run: (context, values) => removeVolume(context, placeOf(context, values), { keepBackup: values["keep-backup"] }),
  print: (removed) =>
    removed.map(({ id, name, partition }) => `Volume ${id} (${name}) on partition ${partition} removed\n`).join(""),
})
