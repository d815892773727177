/** `dafs vos status`: what the volserver is doing. */

import { formatTable } from "../../common/cli/output.ts"
import { stateDirectoryOf } from "../../common/cli/place-options.ts"
import type { JobStatus } from "../job-messages.ts"
import { shownDate } from "./date.ts"
import { volserverStatus } from "./remote.ts"
import { vosCommand } from "./vos-command.ts"

function shownProgress({ progress, pid }: JobStatus): string {
  if (progress === undefined) return pid === undefined ? "waits for its turn" : ""
  const { unit, done, total } = progress
  return `${done}${total === undefined ? "" : ` of ${total}`} ${unit}`
}

export const command = vosCommand({
  usage: "status",
  describe: "Show the jobs of the volserver",
  options: {},
  needsNoFileserver: true,
  examples: [["vos status", "jobs, their volumes and how far they are"]],
  run: (_context, values) => volserverStatus(stateDirectoryOf(values)),
  print: (jobs) =>
    jobs.length === 0
      ? "No active jobs\n"
      : formatTable(jobs, [
          { title: "Job", value: ({ job }) => job, align: "right" },
          { title: "Command", value: ({ command: name }) => name },
          { title: "Pid", value: ({ pid }) => pid, align: "right" },
          { title: "Since", value: ({ since }) => shownDate(since) },
          { title: "Volumes", value: ({ volumes }) => volumes.join(", ") },
          { title: "Progress", value: shownProgress },
        ]),
})
