/** `dafs vos online`: puts a volume into service. */
import { putOnline } from "../operations/service.ts"
import { placeOf, volumeOption } from "./place.ts"
import { vosCommand } from "./vos-command.ts"

export const command = vosCommand({
  usage: "online [volume]",
  describe: "Put a volume into service",
  options: { ...volumeOption },
  examples: [["vos online home.ann --partition /vicepa", "after vos offline"]],
  run: (context, values) => putOnline(context, placeOf(context, values)),
  print: ({ id, name }) => `Volume ${id} (${name}) is online\n`,
})
