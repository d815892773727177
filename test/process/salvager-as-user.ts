/** `dafs salvager` for a user without privilege, on a development partition. */
import { spawnSync } from "node:child_process"
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { specialInode } from "../../common/partition/inode-number.ts"
import { InodeStore } from "../../common/partition/inode-store.ts"
import { partitionProblems } from "../support/partition-state.ts"
import { patchBytes } from "../support/patch.ts"
import { builtProgram } from "../support/project.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition, volumeOf } from "../support/volume-builder.ts"

const isRoot = process.geteuid?.() === 0
/** Root becomes nobody; everybody else stays what they are. */
const nobody = isRoot ? { uid: 65_534, gid: 65_534 } : {}

/** True if that user can read the program. */
function isOpen(path: string): boolean {
  const parent = dirname(path)
  return (statSync(path).mode & 0o001) !== 0 && (parent === path || isOpen(parent))
}

const canEnter = !isRoot || isOpen(dirname(builtProgram("cli/dafs.ts")))

function giveAway(folder: string): void {
  if (!isRoot) return
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    chownSync(join(entry.parentPath, entry.name), 65_534, 65_534)
  chownSync(folder, 65_534, 65_534)
}

function salvage(partition: string, ...words: string[]): ReturnType<typeof spawnSync> {
  const program = [builtProgram("cli/dafs.ts"), "salvager", "--partition", partition, "--offline", ...words]
  const options = { encoding: "utf8", cwd: "/", ...nobody } as const
  return spawnSync(process.execPath, [...program, "--state-dir", join(partition, "..", "state")], options)
}

async function development(t: ExecutionContext): Promise<{ path: string; volume: number; index: string }> {
  const root = temporaryDirectory(t)
  chmodSync(root, 0o755)
  const partition = newPartition(join(root, "vicepa"), "development")
  const volume = await volumeOf(partition, "v.user", { folder: { folder: { file: "content" } }, other: "more" })
  const index = new InodeStore(partition, volume).path(specialInode(volume, "smallIndex"))
  mkdirSync(join(root, "state"))
  giveAway(root)
  return { path: partition.path, volume, index }
}

const salvaging = "an ordinary user salvages a development partition, and takes the salvage back"
const declareSalvage = canEnter ? test : test.skip
declareSalvage(canEnter ? salvaging : `${salvaging} [skipped: needs a checkout that others may enter]`, async (t) => {
  t.timeout(60_000)
  const { path, index } = await development(t)
  patchBytes(index, 0, 128, (bytes) => bytes.fill(0))
  const checked = salvage(path, "--force", "--nowrite")
  t.is(checked.status, 4, String(checked.stderr))
  const { status, stdout, stderr } = salvage(path, "--force", "--json", "--parallel", "2")
  t.is(status, 0, String(stderr))
  t.deepEqual(partitionProblems(path), [])
  t.is(salvage(path, "--force", "--nowrite").status, 0)
  const name = /"undo":"([^"]+)"/.exec(String(stdout))?.[1] ?? "none"
  t.is(salvage(path, "--undo", name).status, 0)
  t.is(salvage(path, "--force", "--nowrite").status, 4)
})

const refusal = "an ordinary user is refused a partition of OpenAFS's kind"
const declareRefusal = isRoot && canEnter ? test : test.skip
declareRefusal(
  isRoot && canEnter ? refusal : `${refusal} [skipped: needs root, and a checkout that others may enter]`,
  (t) => {
    const root = temporaryDirectory(t)
    chmodSync(root, 0o755)
    const { path } = newPartition(join(root, "vicepa"), "openafs")
    const { status, stderr } = salvage(path, "--force")
    t.is(status, 12)
    t.regex(String(stderr), /needs root|another user/)
  },
)
