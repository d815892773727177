/** The subcommands of `dafs vos`, each loaded only when it is asked for. */
import type { AnyVosCommand } from "./vos-command.ts"

interface Row {
  readonly describe: string
  readonly load: () => Promise<AnyVosCommand>
}

/** In the order of the help. */
export const vosCommands: Readonly<Record<string, Row>> = {
  create: { describe: "Create a volume", load: async () => (await import("./create.ts")).command },
  remove: {
    describe: "Remove a volume, and its backup volume",
    load: async () => (await import("./remove.ts")).command,
  },
  examine: { describe: "Show a volume", load: async () => (await import("./examine.ts")).command },
  listvol: { describe: "List the volumes of partitions", load: async () => (await import("./listvol.ts")).command },
  rename: {
    describe: "Rename a read-write volume and its clones",
    load: async () => (await import("./rename.ts")).command,
  },
  setfields: {
    describe: "Change the quota and other fields of a volume",
    load: async () => (await import("./setfields.ts")).command,
  },
  clone: { describe: "Make a clone of a volume", load: async () => (await import("./clone.ts")).command },
  backup: { describe: "Make or renew the backup volume", load: async () => (await import("./backup.ts")).command },
  release: {
    describe: "Release a volume to its read-only clone on the same partition",
    load: async () => (await import("./release.ts")).command,
  },
  dump: { describe: "Dump a volume", load: async () => (await import("./dump.ts")).command },
  restore: { describe: "Restore a dump", load: async () => (await import("./restore.ts")).command },
  offline: { describe: "Take a volume out of service", load: async () => (await import("./offline.ts")).command },
  online: { describe: "Put a volume into service", load: async () => (await import("./online.ts")).command },
  convertROtoRW: {
    describe: "Turn a read-only volume into the read-write volume that was lost",
    load: async () => (await import("./convert-ro-to-rw.ts")).command,
  },
  size: { describe: "Compute the size of a volume's dump", load: async () => (await import("./size.ts")).command },
  zap: { describe: "Remove a damaged volume", load: async () => (await import("./zap.ts")).command },
  partinfo: { describe: "Show the space on partitions", load: async () => (await import("./partinfo.ts")).command },
  status: { describe: "Show the jobs of the volserver", load: async () => (await import("./status.ts")).command },
  endtrans: { describe: "End a job of the volserver", load: async () => (await import("./endtrans.ts")).command },
}
