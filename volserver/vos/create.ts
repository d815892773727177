/** `dafs vos create`: a new read-write volume. */
import { createVolume } from "../operations/create.ts"
import { number, requiredText } from "./option.ts"
import { onePartition } from "./place.ts"
import { vosCommand } from "./vos-command.ts"

export const command = vosCommand({
  usage: "create [name]",
  describe: "Create a volume",
  options: {
    name: requiredText("name of the new volume, at most 22 bytes"),
    id: number("its id (default: the next free one)"),
    maxquota: number("quota in KiB, 0 = no limit (default 5000)"),
  },
  examples: [["vos create home.ann --partition /vicepa --maxquota 100000", "an empty volume"]],
  run: (context, { name, id, maxquota }) =>
    createVolume(context, { partition: onePartition(context), name, id, maxquota }),
  print: ({ id, partition, name }) => `Volume ${id} created on partition ${partition}: ${name}\n`,
})
