/** The subcommands of `dafs vos`, each loaded only when it is asked for. */
import type { AnyVosCommand } from "./vos-command.ts"

interface Row {
  readonly describe: string
  readonly load: () => Promise<AnyVosCommand>
}

const commandOf = async (module: Promise<{ readonly command: AnyVosCommand }>): Promise<AnyVosCommand> =>
  (await module).command

/** In the order of the help. */
export const vosCommands: Readonly<Record<string, Row>> = {
  create: { describe: "Create a volume", load: () => commandOf(import("./create.ts")) },
  remove: {
    describe: "Remove a volume, and its backup volume",
    load: () => commandOf(import("./remove.ts")),
  },
  examine: { describe: "Show a volume", load: () => commandOf(import("./examine.ts")) },
  listvol: { describe: "List the volumes of partitions", load: () => commandOf(import("./listvol.ts")) },
  rename: {
    describe: "Rename a read-write volume and its clones",
    load: () => commandOf(import("./rename.ts")),
  },
  setfields: {
    describe: "Change the quota and other fields of a volume",
    load: () => commandOf(import("./setfields.ts")),
  },
  clone: { describe: "Make a clone of a volume", load: () => commandOf(import("./clone.ts")) },
  backup: { describe: "Make or renew the backup volume", load: () => commandOf(import("./backup.ts")) },
  release: {
    describe: "Release a volume to its read-only clone on the same partition",
    load: () => commandOf(import("./release.ts")),
  },
  dump: { describe: "Dump a volume", load: () => commandOf(import("./dump.ts")) },
  restore: { describe: "Restore a dump", load: () => commandOf(import("./restore.ts")) },
  offline: { describe: "Take a volume out of service", load: () => commandOf(import("./offline.ts")) },
  online: { describe: "Put a volume into service", load: () => commandOf(import("./online.ts")) },
  convertROtoRW: {
    describe: "Turn a read-only volume into the read-write volume that was lost",
    load: () => commandOf(import("./convert-ro-to-rw.ts")),
  },
  size: { describe: "Compute the size of a volume's dump", load: () => commandOf(import("./size.ts")) },
  zap: { describe: "Remove a damaged volume", load: () => commandOf(import("./zap.ts")) },
  partinfo: { describe: "Show the space on partitions", load: () => commandOf(import("./partinfo.ts")) },
  status: { describe: "Show the jobs of the volserver", load: () => commandOf(import("./status.ts")) },
  endtrans: { describe: "End a job of the volserver", load: () => commandOf(import("./endtrans.ts")) },
}
