/** The subcommands of `dafs vos`, each loaded only when it is asked for. */
import { loaderOf } from "../../common/cli/load-now.ts"
import type { AnyVosCommand } from "./vos-command.ts"

interface Row {
  readonly describe: string
  readonly load: () => Promise<AnyVosCommand>
}

const load = loaderOf(import.meta.url)

const commandOf = async (path: string): Promise<AnyVosCommand> =>
  (await load<{ readonly command: AnyVosCommand }>(path)).command

/** In the order of the help. */
export const vosCommands: Readonly<Record<string, Row>> = {
  create: { describe: "Create a volume", load: () => commandOf("./create.js") },
  remove: {
    describe: "Remove a volume, and its backup volume",
    load: () => commandOf("./remove.js"),
  },
  examine: { describe: "Show a volume", load: () => commandOf("./examine.js") },
  listvol: { describe: "List the volumes of partitions", load: () => commandOf("./listvol.js") },
  rename: {
    describe: "Rename a read-write volume and its clones",
    load: () => commandOf("./rename.js"),
  },
  setfields: {
    describe: "Change the quota and other fields of a volume",
    load: () => commandOf("./setfields.js"),
  },
  clone: { describe: "Make a clone of a volume", load: () => commandOf("./clone.js") },
  backup: { describe: "Make or renew the backup volume", load: () => commandOf("./backup.js") },
  release: {
    describe: "Release a volume to its read-only clone on the same partition",
    load: () => commandOf("./release.js"),
  },
  dump: { describe: "Dump a volume", load: () => commandOf("./dump.js") },
  restore: { describe: "Restore a dump", load: () => commandOf("./restore.js") },
  offline: { describe: "Take a volume out of service", load: () => commandOf("./offline.js") },
  online: { describe: "Put a volume into service", load: () => commandOf("./online.js") },
  convertROtoRW: {
    describe: "Turn a read-only volume into the read-write volume that was lost",
    load: () => commandOf("./convert-ro-to-rw.js"),
  },
  size: { describe: "Compute the size of a volume's dump", load: () => commandOf("./size.js") },
  zap: { describe: "Remove a damaged volume", load: () => commandOf("./zap.js") },
  partinfo: { describe: "Show the space on partitions", load: () => commandOf("./partinfo.js") },
  status: { describe: "Show the jobs of the volserver", load: () => commandOf("./status.js") },
  endtrans: { describe: "End a job of the volserver", load: () => commandOf("./endtrans.js") },
}
