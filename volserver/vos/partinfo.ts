/** `dafs vos partinfo`: space on partitions. */
import { vosCommand } from "./vos-command.ts"

export const command = vosCommand({
  usage: "partinfo",
  describe: "Show the space on partitions",
  options: {},
  needsNoFileserver: true,
  examples: [["vos partinfo --partition /vicepa", "free and total KiB"]],
  run: async (context) =>
    context.partitions.map(({ name, path, disk, ownerEncoding }) => {
      const { availableBytes, totalBytes } = disk.space(path)
      const freeKib = Math.floor(availableBytes / 1024)
      return { partition: name, path, ownerEncoding, freeKib, totalKib: Math.floor(totalBytes / 1024) }
    }),
  print: (partitions) =>
    partitions
      .map(
        ({ path, freeKib, totalKib }) =>
          `Free space on partition ${path}: ${freeKib} K blocks out of total ${totalKib}\n`,
      )
      .join(""),
})
