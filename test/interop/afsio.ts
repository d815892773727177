/**
 * OpenAFS's afsio at dafileserver and at our fileserver: both give it the same bytes, and keep the same bytes of it.
 *
 * afsio 1.8.9 has limits of its own. It knows only the calls whose positions end at 2 GiB: of a larger file it reads so much and
 * calls that success. And what it stores beyond 64 MiB does not lie where it should (afsio-source.program.ts).
 */
import { statSync } from "node:fs"
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import { type Cell, cellAddress, startCell, wholeCell } from "../support/cell.ts"
import { requireSound, shell, startOurs, startTheirs } from "../support/fuse-work.ts"
import { builtProgram } from "../support/project.ts"
import { needsCell, needsCellAndPatience } from "../support/requirements.ts"

const dafs = `${process.execPath} ${builtProgram("cli/dafs.ts")}`
const source = `${process.execPath} ${builtProgram("test/support/afsio-source.program.ts")}`
const mib = 1 << 20
const readLimit = 2 ** 31

async function digest(cell: Cell, what: "digest" | "stored", bytes: number): Promise<string> {
  return (await shell(cell, `${source} ${what} ${bytes}`)).trim()
}

/** A file of so many bytes, made without afsio; gives its fid. */
async function put(cell: Cell, path: string, bytes: number): Promise<string> {
  await shell(cell, `${source} make ${bytes} | ${dafs} fs put ${cellAddress} - ${path}`)
  const stated = await shell(cell, `${dafs} fs stat ${cellAddress} ${path}`)
  return /^fid\s+(\S+)/m.exec(stated)?.[1] ?? ""
}

const sumOf = (text: string): string | undefined => text.split(/\s/)[0]

/** What afsio reads is there, up to its limit. */
async function reads(t: ExecutionContext, cell: Cell, fid: string, bytes: number): Promise<void> {
  const read = await shell(cell, `afsio fidread -fid ${fid} -clear | sha256sum`)
  t.is(sumOf(read), await digest(cell, "digest", Math.min(bytes, readLimit)))
}

/** What afsio stores is kept where it says; without its own faults, where there is none. */
async function writes(t: ExecutionContext, cell: Cell, fid: string, bytes: number): Promise<void> {
  const file = join(cell.directory, "source")
  await shell(cell, `${source} make ${bytes} >${file}`)
  t.is(statSync(file).size, bytes)
  const { stderr } = await cell.try("bash", ["-c", `afsio fidwrite -vnode ${fid} -clear -force <${file}; rm ${file}`])
  // Half of what it stores lies beyond its limit where its source is more than half as long.
  if (bytes > readLimit / 2) t.regex(stderr, /failed with code -4/)
  else t.notRegex(stderr, /failed/)
  const kept = await shell(cell, `${dafs} fs get ${cellAddress} ${fid} - | sha256sum`)
  t.is(sumOf(kept), await digest(cell, "stored", bytes))
}

const servers = { theirs: startTheirs, ours: startOurs } as const
type Name = keyof typeof servers

/** Files of these sizes, at one of the servers, in a volume of its own. */
async function work(t: ExecutionContext, cell: Cell, name: Name, sizes: readonly number[]): Promise<void> {
  const volume = await cell.createVolume(name)
  await cell.stop("vol", "fs")
  await servers[name](cell)
  for (const bytes of sizes) {
    await reads(t, cell, await put(cell, `${volume}:file`, bytes), bytes)
    await shell(cell, `${dafs} fs rm ${cellAddress} ${volume}:file`)
    await writes(t, cell, await put(cell, `${volume}:empty`, 0), bytes)
    await shell(cell, `${dafs} fs rm ${cellAddress} ${volume}:empty`)
  }
}

async function judge(t: ExecutionContext, cell: Cell): Promise<void> {
  await cell.stop("fs")
  await requireSound(t, cell)
}

needsCell.serial("afsio: reads and stores at ours what it does at dafileserver, byte for byte", async (t) => {
  const cell = await startCell(t, ...wholeCell)
  const sizes = [0, 1, 70_000, 64 * mib + 13]
  await work(t, cell, "theirs", sizes)
  await cell.start("vol")
  await work(t, cell, "ours", sizes)
  await judge(t, cell)
})

for (const name of ["theirs", "ours"] as const) {
  const server = name === "ours" ? "our fileserver" : "dafileserver"
  needsCellAndPatience.serial(`afsio: reads and stores of 3 GB what it can, at ${server}`, async (t) => {
    const cell = await startCell(t, ...wholeCell)
    t.timeout(600_000)
    await work(t, cell, name, [3_000_000_000])
    await judge(t, cell)
  })
}
