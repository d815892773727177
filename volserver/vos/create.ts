/** `dafs vos create`: a new read-write volume. */
import { parseRights } from "../../common/vnode/access-list.ts"
import { createVolume } from "../operations/create.ts"
import { number, requiredText, text } from "./option.ts"
import { onePartition } from "./place.ts"
import { vosCommand } from "./vos-command.ts"

export const command = vosCommand({
  usage: "create [name]",
  describe: "Create a volume",
  options: {
    name: requiredText("name of the new volume, at most 22 bytes"),
    id: number("its id (default: the next free one)"),
    maxquota: number("quota in KiB, 0 = no limit (default 5000)"),
    everybody: text("rights of system:anyuser in the root directory, letters of rlidwka (default: none)"),
  },
  examples: [
    ["vos create home.ann --partition /vicepa --maxquota 100000", "an empty volume"],
    ["vos create scratch --partition /vicepa --everybody rlidwk", "one that everybody may write to"],
  ],
  run: (context, { name, id, maxquota, everybody }) =>
    createVolume(context, {
      partition: onePartition(context),
      name,
      id,
      maxquota,
      everybody: everybody === undefined ? undefined : parseRights(everybody),
    }),
  print: ({ id, partition, name }) => `Volume ${id} created on partition ${partition}: ${name}\n`,
})
