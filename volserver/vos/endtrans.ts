/** `dafs vos endtrans`: ends a job of the volserver. */
import { stateDirectoryOf } from "../../common/cli/place-options.ts"
import { AfsError } from "../../common/error.ts"
import { number } from "./option.ts"
import { cancelJob } from "./remote.ts"
import { vosCommand } from "./vos-command.ts"

export const command = vosCommand({
  usage: "endtrans [transaction]",
  describe: "End a job of the volserver, as an interrupt would",
  options: { transaction: { ...number("number of the job, as vos status shows it"), required: true } },
  needsNoFileserver: true,
  examples: [["vos endtrans 17", "job 17 takes back what it has done and ends"]],
  run: async (_context, values) => {
    const job = Number(values.transaction)
    if (await cancelJob(stateDirectoryOf(values), job)) return { job }
    throw new AfsError("ENOENT", "endtrans", {}, { detail: `the volserver has no job ${values.transaction}` })
  },
  print: ({ job }) => `Job ${job} was told to end\n`,
})
