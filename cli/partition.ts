/** `dafs partition create`: makes an empty partition directory. */
import type { Argv, CommandModule } from "yargs"
import { createPartition } from "../common/partition/partition.ts"

interface CreateArguments {
  directory: string
  development: boolean
  json: boolean
}

const createCommand: CommandModule<object, CreateArguments> = {
  command: "create <directory>",
  describe: "Make an empty partition",
  builder: (parser) =>
    parser
      .positional("directory", { type: "string", demandOption: true, describe: "the partition, named vicepX" })
      .option("development", {
        type: "boolean",
        default: process.geteuid?.() !== 0,
        describe: "for use without root; OpenAFS's programs cannot use it (default unless root)",
      })
      .option("json", { type: "boolean", default: false, describe: "print the result as JSON" })
      .example("$0 partition create /tmp/vicepa --development", "a partition for a user without root"),
  handler: ({ directory, development, json }) => {
    const partition = createPartition(directory, { development })
    const { path, name, ownerEncoding } = partition
    process.stdout.write(
      json ? `${JSON.stringify({ path, name, ownerEncoding })}\n` : `${path} is an empty ${ownerEncoding} partition\n`,
    )
  },
}

export const partitionCommand: CommandModule = {
  command: "partition <command>",
  describe: "Make a partition",
  builder: (parser: Argv) => parser.command(createCommand).demandCommand(1, "Which command?"),
  handler: () => undefined,
}
