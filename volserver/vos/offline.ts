/** `dafs vos offline`: takes a volume out of service. */
import { takeOffline } from "../operations/service.ts"
import { flag, number } from "./option.ts"
import { placeOf, volumeOption } from "./place.ts"
import { vosCommand } from "./vos-command.ts"

export const command = vosCommand({
  usage: "offline [volume]",
  describe: "Take a volume out of service",
  options: {
    ...volumeOption,
    sleep: number("only for so many seconds"),
    busy: flag("tell clients that it is busy; needs --sleep"),
  },
  examples: [["vos offline home.ann --partition /vicepa", "until vos online"]],
  run: (context, values) =>
    takeOffline(context, placeOf(context, values), {
      forMs: values.sleep === undefined ? undefined : values.sleep * 1000,
      busy: values.busy,
    }),
  print: ({ id, name, inService }) => `Volume ${id} (${name}) ${inService ? "was offline" : "is offline"}\n`,
})
