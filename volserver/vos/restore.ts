/** `dafs vos restore`: a volume from a dump. */
import { openByteSource } from "../../common/disk/node-disk.ts"
import { restoreVolume } from "../operations/restore.ts"
import { choice, flag, maybe, number, text } from "./option.ts"
import { onePartition } from "./place.ts"
import { vosCommand } from "./vos-command.ts"

const dateRules = ["dump", "keep", "new"] as const

export const command = vosCommand({
  usage: "restore [name]",
  describe: "Restore a dump, into a new volume or over an existing one",
  options: {
    name: text("name of the volume (default: the dump's)"),
    file: text("the dump; - or nothing: standard input"),
    id: number("id of the volume (default: that of the volume with this name, else the next free one)"),
    overwrite: choice("what becomes of a volume that exists (default abort)", ["abort", "full", "incremental"]),
    "leave-offline": flag("leave the volume offline"),
    readonly: maybe("a read-only volume"),
    creation: choice("where the creation date comes from (default: new, for an incremental restore keep)", dateRules),
    lastupdate: choice("where the date of the last update comes from (default dump)", dateRules),
  },
  examples: [
    ["vos restore home.ann2 --file ann.dump --partition /vicepa", "into a new volume"],
    ["vos restore home.ann --file ann.inc --overwrite incremental --partition /vicepa", "what changed"],
  ],
  readsInput: ({ file }) => file === undefined || file === "-",
  run: async (context, values) => {
    using source = openByteSource(values.file ?? "-")
    return await restoreVolume(context, {
      source,
      path: source.path,
      size: source.size,
      partition: onePartition(context),
      name: values.name,
      id: values.id,
      overwrite: values.overwrite,
      readonly: values.readonly,
      offline: values["leave-offline"],
      creation: values.creation,
      lastUpdate: values.lastupdate,
    })
  },
  print: ({ id, name, partition, overwritten, filecount }) =>
    `Restored volume ${id} (${name}) on partition ${partition}${overwritten ? ", over what it held" : ""}: ${filecount} vnodes\n`,
})
