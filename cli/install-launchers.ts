/** `dafs install-launchers`: small programs named like OpenAFS's, for bosserver and for scripts that start those. */
import { chmodSync, mkdirSync, renameSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import type { Argv, CommandModule } from "yargs"
import { printJson } from "../common/cli/output.ts"
import { AfsError } from "../common/error.ts"
import { certificatesVariable, fileserverSwitches } from "./node-switches.ts"
import { openafsPrograms } from "./openafs-programs.ts"

interface InstallArguments {
  directory: string
  json: boolean
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`

/** The process that bosserver starts becomes ours: it has the process id that bosserver knows. */
function launcherOf(name: string): string {
  const switches = name === "dafileserver" ? fileserverSwitches : []
  const words = [process.execPath, ...switches, resolve(process.argv[1] ?? "dafs"), "launch", name]
  const command = words.map(quoted).join(" ")
  const what = `Starts dafs in the place of OpenAFS's ${name}, with its switches.`
  return `#!/bin/sh\n# ${what}\nunset ${certificatesVariable}\nexec ${command} "$@"\n`
}

/** Appears whole, so that one that is in use can be renewed. */
function writeProgram(path: string, text: string): void {
  const draft = `${path}.new-${process.pid}`
  writeFileSync(draft, text, { mode: 0o755 })
  chmodSync(draft, 0o755)
  renameSync(draft, path)
}

function run({ directory, json }: InstallArguments): void {
  if (directory === "")
    throw new AfsError("USAGE", "install-launchers", {}, { detail: "the directory's path is empty" })
  const folder = resolve(directory)
  mkdirSync(folder, { recursive: true })
  const paths = openafsPrograms.map((name) => join(folder, name))
  for (const name of openafsPrograms) writeProgram(join(folder, name), launcherOf(name))
  if (json) printJson({ type: "launchers", paths })
  else for (const path of paths) process.stdout.write(`${path}\n`)
}

export const installLaunchersCommand: CommandModule<object, InstallArguments> = {
  command: "install-launchers <directory>",
  describe: "Make programs named like OpenAFS's that start ours",
  builder: (parser: Argv): Argv<InstallArguments> =>
    parser
      .positional("directory", { type: "string", demandOption: true, describe: "where to put them" })
      .option("json", { type: "boolean", default: false, describe: "print one JSON document" })
      .example("$0 install-launchers /usr/local/lib/dafs", "then: bos create HOST dafs dafs -cmd … (four of them)"),
  handler: run,
}
