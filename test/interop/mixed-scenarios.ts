/**
 * What happens between a fileserver and a volserver of which one is ours and one OpenAFS's when one of them is killed, when a
 * volume is marked for a salvage, taken out of service, removed, and made anew: clients get the same answers, and the volume
 * comes back by itself.
 */
import type { ExecutionContext } from "ava"
import { accessOverRx } from "../support/afs-access.ts"
import {
  type Cast,
  crashVolserver,
  during,
  isCheckedOut,
  isGivenBack,
  isState,
  operationsOf,
  type Side,
  shell,
  sides,
  startFileserver,
  startOperations,
  startSalvages,
  until,
} from "../support/cast.ts"
import { type Cell, cellAddress, startCell } from "../support/cell.ts"
import { patchVolumeInfo, volumeInfoOnDisk } from "../support/patch.ts"
import { needsCell, needsCellAndPatience } from "../support/requirements.ts"

/** Codes that clients get. */
const [ok, missing, offline, busy] = [0, 103, 106, 110]

class Scene {
  readonly t: ExecutionContext
  readonly cell: Cell
  readonly cast: Cast
  readonly id: number

  constructor(t: ExecutionContext, cell: Cell, cast: Cast, id: number) {
    this.t = t
    this.cell = cell
    this.cast = cast
    this.id = id
  }

  get run() {
    return operationsOf[this.cast.operations]
  }

  async access(id = this.id): Promise<number | undefined> {
    return (await accessOverRx(this.cell, [id]))[0]
  }

  /** What clients get at last, when they ask again as long as the volume is busy. */
  async served(id = this.id): Promise<number | undefined> {
    let code = await this.access(id)
    for (let tries = 0; code === busy && tries < 200; tries++) code = await this.access(id)
    return code
  }

  async restartFileserver(): Promise<void> {
    await this.cell.kill("fs")
    await startFileserver(this.cell, this.cast)
  }

  /** An operation that has the volume for some seconds. */
  holding(seconds: number): string {
    return this.cast.operations === "theirs"
      ? `vos offline ${cellAddress} a one -busy -sleep ${seconds} -noauth`
      : `dafs vos offline one --volserver --busy --sleep ${seconds}`
  }
}

type Scenario = (scene: Scene) => Promise<void>

const scenarios: Readonly<Record<string, Scenario>> = {
  "the fileserver is killed during an operation, and nobody asks for the volume: no salvage follows": async (scene) => {
    const { t, cell, id } = scene
    t.is(await scene.served(), ok)
    await during(cell, scene.holding(6), async () => {
      await until(cell, isCheckedOut(id))
      await scene.restartFileserver()
      await untilGivenBackOnDisk(scene)
    })
    t.is(volumeInfoOnDisk(cell.partition("a"), id, id).inUse, 0)
    t.is(await scene.access(), ok, "no salvage was needed")
  },

  "the fileserver is killed during an operation, and a client asks for the volume: it waits, and is served": async (
    scene,
  ) => {
    const { t, cell, cast, id } = scene
    t.is(await scene.served(), ok)
    await during(cell, scene.holding(6), async () => {
      await until(cell, isCheckedOut(id))
      await scene.restartFileserver()
      // dafileserver takes a held lock for an error, until the volume is given back
      t.is(await scene.access(), cast.fileserver === "ours" ? busy : missing)
      await untilGivenBackOnDisk(scene)
      await until(cell, isState(id, "VOL_STATE_PREATTACHED"))
    })
    t.is(await scene.served(), ok)
  },

  "the volserver is killed with a volume that was attached: clients wait for its salvage": async (scene) => {
    const { t, cell, cast, id } = scene
    t.is(await scene.served(), ok)
    await during(cell, scene.run.hold("one"), async () => {
      await until(cell, isCheckedOut(id))
      t.is(await scene.access(), busy)
      await crashVolserver(cell, cast)
      await until(cell, isGivenBack(id))
    })
    t.is(await scene.served(), ok)
  },

  "the volserver is killed with a volume that was not attached: a new one, or a fileserver of ours, heals it": async (
    scene,
  ) => {
    const { t, cell, cast, id } = scene
    await scene.restartFileserver()
    await during(cell, scene.run.hold("one"), async () => {
      await until(cell, isCheckedOut(id))
      await crashVolserver(cell, cast)
    })
    if (cast.fileserver === "theirs") await shell(cell, scene.run.backup("one"))
    t.is(await scene.served(), ok)
  },

  "a volume marked for a salvage is salvaged before the volserver gets it": async (scene) => {
    const { t, cell, id } = scene
    await shell(cell, `debug offline -volumeid ${id} -partition /vicepa`)
    patchVolumeInfo(cell.partition("a"), id, id, { needsSalvaged: 1 })
    await shell(cell, `debug online -volumeid ${id} -partition /vicepa`)
    await shell(cell, scene.run.backup("one"))
    t.is(volumeInfoOnDisk(cell.partition("a"), id, id).needsSalvaged, 0)
    t.is(await scene.served(), ok)
  },

  "a volume taken out of service answers offline, also after a restart of the fileserver": async (scene) => {
    const { t, cell, cast } = scene
    const words = (verb: string): string =>
      cast.operations === "theirs" ? `vos ${verb} ${cellAddress} a one -noauth` : `dafs vos ${verb} one`
    await shell(cell, words("offline"))
    t.is(await scene.access(), offline)
    await scene.restartFileserver()
    t.is(await scene.access(), offline)
    await shell(cell, words("online"))
    t.is(await scene.served(), ok)
  },

  "a removed volume is gone, and its id can be used again": async (scene) => {
    const { t, cell, cast, run } = scene
    const dump = `${cell.directory}/scene.dump`
    await shell(cell, [run.dump("one", dump), run.restore("other", dump)].join("\n"))
    const id = Number(/^other +(\d+)/m.exec(await shell(cell, `vos listvol ${cellAddress} a -noauth`))?.[1])
    t.is(await scene.served(id), ok)
    await shell(cell, run.remove("other"))
    t.is(await scene.access(id), missing)
    const again =
      cast.operations === "theirs"
        ? `vos restore ${cellAddress} a other -file ${dump} -id ${id} -noauth`
        : `dafs vos restore --name other --id ${id} --file ${dump} --partition /vicepa`
    await shell(cell, again)
    t.is(await scene.served(id), ok)
    await shell(cell, run.remove("other"))
  },
}

/** The operation writes it as its last step before it gives the volume back. */
async function untilGivenBackOnDisk({ cell, id }: Scene): Promise<void> {
  const info = (): number => volumeInfoOnDisk(cell.partition("a"), id, id).inUse
  for (let tries = 0; info() !== 0 && tries < 200; tries++) await shell(cell, "sleep 0.1")
}

const casts: readonly Cast[] = sides.map((fileserver) => {
  const other: Side = fileserver === "ours" ? "theirs" : "ours"
  return { fileserver, operations: other, salvages: fileserver }
})

for (const cast of casts) {
  // each takes a minute: in every run the one in which our fileserver meets the clients
  const declare = cast.fileserver === "ours" ? needsCell : needsCellAndPatience
  declare.serial(
    `scenarios: fileserver ${cast.fileserver}, volserver ${cast.operations}: clients are answered alike, and volumes come back`,
    async (t) => {
      const cell = await startCell(t, "vl", "pt", "sal", "fs", "vol")
      t.timeout(240_000)
      const id = await cell.createVolume("one")
      await cell.stop("fs", "sal")
      await startSalvages(cell, cast)
      await startFileserver(cell, cast)
      await startOperations(cell, cast)
      const scene = new Scene(t, cell, cast, id)
      for (const [title, scenario] of Object.entries(scenarios)) {
        t.log(title)
        await scenario(scene)
        t.regex(await shell(cell, `debug volop -volumeid ${id} || true`), /NO_PENDING_VOL_OP/, title)
      }
    },
  )
}
