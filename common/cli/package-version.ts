/** The version of this suite, as its package says. */
import { fileURLToPath } from "node:url"
import { nodeDisk } from "../disk/node-disk.ts"

/** `0.1.0`; `unknown` where the package's description is not beside the programs. */
export function packageVersion(): string {
  const bytes = nodeDisk.readFile(fileURLToPath(new URL("../../../package.json", import.meta.url)))
  return /"version":\s*"([^"]+)"/.exec(Buffer.from(bytes ?? []).toString("utf8"))?.[1] ?? "unknown"
}
