/** Runs the scenarios of clients against a fileserver: `host port name=volume…`; prints the transcripts as JSON. */
import { parseHost } from "../../common/rx/datagram-port.ts"
import { runScenario, type Transcript } from "../support/rxafs-scenarios.ts"
import { accessScenarios, promiseScenarios } from "../support/scenarios-of-access.ts"
import { directoryScenarios } from "../support/scenarios-of-directories.ts"
import { fileScenarios } from "../support/scenarios-of-files.ts"
import { volumeScenarios } from "../support/scenarios-of-volumes.ts"

const [, , host = "", port = "7000", ...words] = process.argv
const volumes = Object.fromEntries(
  words
    .filter((word) => /^[a-z]+=\d+$/.test(word))
    .map((word) => [word.split("=")[0] ?? "", Number(word.split("=")[1])]),
)
const only = words.find((word) => word.startsWith("only="))?.slice("only=".length)
const stage = { host: parseHost(host) ?? 0, port: Number(port), volumes }
const transcripts: Record<string, Transcript | string> = {}
for (const scenario of [
  ...fileScenarios,
  ...directoryScenarios,
  ...accessScenarios,
  ...promiseScenarios,
  ...volumeScenarios,
]) {
  if (only !== undefined && !scenario.name.includes(only)) continue
  if (process.env["DAFS_TRACE"] === "1") process.stderr.write(`${new Date().toISOString()} ${scenario.name}\n`)
  try {
    transcripts[scenario.name] = await runScenario(stage, scenario)
  } catch (error) {
    transcripts[scenario.name] = error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
}
process.stdout.write(JSON.stringify(transcripts, undefined, 1))
