/**
 * How a fileserver finds out who calls, what it promises, and whom it tells: the same scripted cache managers at dafileserver and
 * at ours hear the same, call by call.
 */
import { join } from "node:path"
import { type Cell, cellAddress, sharedCell, wholeCell } from "../support/cell.ts"
import { builtProgram } from "../support/project.ts"
import { needsCell } from "../support/requirements.ts"

const dafs = builtProgram("cli/dafs.ts")
const program = builtProgram("test/interop/client-handshake.program.ts")

type Transcripts = Readonly<Record<string, unknown>>

async function transcripts(cell: Cell, volume: number, ...only: string[]): Promise<Transcripts> {
  return JSON.parse(await cell.exec(process.execPath, program, cellAddress, "7000", String(volume), ...only))
}

let starts = 0

async function startOurs(cell: Cell): Promise<void> {
  const log = join(cell.directory, "log", `ours-${starts++}.log`)
  await cell.run("fs", process.execPath, dafs, "fileserver", "--openafs", "--port", "7000", "--logfile", log)
  await cell.exec("timeout", "30", "sh", "-c", `until grep -qs "fileserver ready" ${log}; do sleep 0.05; done`)
}

const startTheirs = (cell: Cell): Promise<void> => cell.start("fs")

const theCell = needsCell.met ? sharedCell(...wholeCell) : undefined

async function withVolume(name: string): Promise<{ cell: Cell; volume: number }> {
  const cell = theCell?.()
  if (cell === undefined) throw new Error("there is no cell")
  return { cell, volume: await cell.createVolume(name) }
}

needsCell.serial(
  "client handshake: each kind of client hears the same of our fileserver as of dafileserver",
  async (t) => {
    t.timeout(180_000)
    const { cell, volume } = await withVolume("handshakes")
    await cell.vos("addsite", cellAddress, "a", "handshakes", "-noauth")
    await cell.vos("release", "handshakes", "-noauth")
    const theirs = await transcripts(cell, volume)
    const theirRelease = await transcripts(cell, volume, "release")
    await cell.stop("fs")
    await startOurs(cell)
    t.deepEqual(await transcripts(cell, volume), theirs)
    t.deepEqual(await transcripts(cell, volume, "release"), theirRelease)
    t.like(theirs, {
      "new client": {
        first: ["TellMeAboutYourself", "InitCallBackState3", "answered"],
        again: ["answered"],
        further: ["TellMeAboutYourself", "answered"],
      },
      "a silent client": { first: "seconds", second: "none" },
    })
    t.deepEqual(theirRelease, {
      release: { lifetime: "120 min", broken: ["CallBack replica.0.0"], next: ["answered"] },
    })
  },
)

for (const [name, start, volumeName] of [
  ["our fileserver", startOurs, "restart.ours"],
  ["dafileserver", startTheirs, "restart.theirs"],
] as const) {
  needsCell.serial(
    `client handshake: ${name} keeps its promises over an orderly restart, and none over a crash`,
    async (t) => {
      t.timeout(180_000)
      const { cell, volume } = await withVolume(volumeName)
      await cell.stop("fs")
      await start(cell)
      t.deepEqual(await transcripts(cell, volume, "before"), {
        before: [["TellMeAboutYourself", "InitCallBackState3", "answered"], ["answered"]],
      })
      await cell.stop("fs")
      await start(cell)
      t.deepEqual(await transcripts(cell, volume, "after"), {
        after: { broken: ["CallBack fid"], next: ["TellMeAboutYourself", "answered"] },
      })
      await transcripts(cell, volume, "before")
      await cell.kill("fs")
      await start(cell)
      t.deepEqual(await transcripts(cell, volume, "after"), {
        after: { broken: [], next: ["TellMeAboutYourself", "InitCallBackState3", "answered"] },
      })
    },
  )
}
