/** Salvages of test partitions, without a fileserver, and what they said. */
import { createHash } from "node:crypto"
import { lstatSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import type { Disk } from "../../common/disk/disk.ts"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { openPartition } from "../../common/partition/partition.ts"
import type { Finding, FindingCode } from "../../salvager/finding.ts"
import { type GroupResult, type SalvageOptions, salvagePartition } from "../../salvager/salvage.ts"
import { unpackDamaged, unpackFixture } from "./fixture.ts"
import { describeTree, readPartitionState } from "./partition-state.ts"
import { temporaryDirectory } from "./temporary-directory.ts"

/** What one run said. */
export interface SalvageRunResult {
  readonly results: readonly GroupResult[]
  readonly findings: readonly Finding[]
}

/** Time stands still, so that two runs write the same. */
export const salvageTime = 1_800_000_000

export const standaloneOptions: SalvageOptions = {
  readOnly: false,
  force: true,
  orphans: "attach",
  salvageDirs: false,
  claimant: { program: "salvager", fileserver: undefined },
  now: () => salvageTime,
}

/** Salvages all of a partition. */
export async function salvageAll(
  directory: string,
  options: Partial<SalvageOptions> = {},
  disk: Disk = nodeDisk,
): Promise<SalvageRunResult> {
  const findings: Finding[] = []
  const results = await salvagePartition(
    openPartition(directory, disk),
    { ...standaloneOptions, ...options },
    (event) => {
      if (event.type === "finding") findings.push(event)
    },
  )
  return { results, findings }
}

/** What a run found, but for what it cannot change (`code volume vnode`), and the groups that it could not salvage. */
export function found({ findings, results }: SalvageRunResult): string[] {
  const fixed: readonly FindingCode[] = ["file-foreign", "file-misplaced"]
  const codes = findings
    .filter(({ code }) => !fixed.includes(code))
    .map(({ code, volume, vnode }) => [code, volume, vnode].filter((part) => part !== undefined).join(" "))
  return [
    ...codes,
    ...results.flatMap(({ status, error }) => (error === undefined ? [] : `${status}: ${error.message}`)),
  ]
}

/** The base partition of the damaged fixtures, or one of these. */
export function damagedPartition(t: Pick<ExecutionContext, "teardown">, name: string): string {
  const directory = temporaryDirectory(t)
  if (name === "base") unpackFixture("base", directory)
  else unpackDamaged(name, directory)
  return directory
}

/** Every file of a folder with all that a salvage could change of it: content, owner, mode. Lock files are left out. */
export function snapshot(directory: string): Record<string, string> {
  const files: Record<string, string> = {}
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (/^\.vol(ume|headers)\.lock$/.test(entry.name)) continue
    const { uid, gid, mode } = lstatSync(path)
    const content = entry.isFile() ? createHash("sha256").update(readFileSync(path)).digest("hex") : "folder"
    files[path.slice(directory.length + 1)] = `${uid}:${gid} ${mode.toString(8)} ${content}`
  }
  return files
}

/** Everything that clients and servers see; versions and times may differ between one run and two. */
export function outcome(directory: string): { problems: readonly string[]; volumes: unknown } {
  const { problems, volumes } = readPartitionState(directory)
  const plain = (line: string): string => line.replace(/ version \d+/, "")
  return {
    problems,
    volumes: [...volumes.values()].map((volume) => ({
      id: volume.id,
      info: volume.info,
      tree: Object.entries(describeTree(volume, { dates: false })).map(([path, line]) => `${path} ${plain(line)}`),
    })),
  }
}
