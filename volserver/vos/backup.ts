/** `dafs vos backup`: makes or renews the backup volume. */
import { backupVolume } from "../operations/backup.ts"
import { number } from "./option.ts"
import { placeOf, volumeOption } from "./place.ts"
import { vosCommand } from "./vos-command.ts"

export const command = vosCommand({
  usage: "backup [volume]",
  describe: "Make or renew the backup volume of a volume",
  options: { ...volumeOption, toid: number("id of the backup volume (default: as before, else the next free one)") },
  examples: [["vos backup home.ann --partition /vicepa", "home.ann.backup is home.ann as it is now"]],
  run: (context, values) => backupVolume(context, placeOf(context, values), { id: values.toid }),
  print: ({ id, name, again }) => `${again ? "Renewed" : "Created"} backup volume ${id} (${name})\n`,
})
