/**
 * Any of our processes in the place of OpenAFS's, on one pair of partitions and of sockets: fileserver, volume operations and
 * salvages, each ours or theirs, while a FUSE client works on another volume all the while. Volumes are made, cloned, dumped,
 * restored, taken out, moved to the other partition and removed, salvaged on demand and by hand; each daemon is killed and
 * started again, the volserver while it has a volume, and a worker of the salvage server. In the end both salvagers find
 * nothing, no checkout and no lock is left, and the client has lost nothing and seen no error but while the fileserver was away.
 */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import { specialInode } from "../../common/partition/inode-number.ts"
import { inodePath } from "../../common/partition/namei-path.ts"
import { accessOverRx } from "../support/afs-access.ts"
import {
  type Cast,
  crashVolserver,
  during,
  isCheckedOut,
  isState,
  operationsOf,
  shell,
  sides,
  startFileserver,
  startOperations,
  startSalvages,
  stopOperations,
  until,
} from "../support/cast.ts"
import { type Cell, cellAddress, startCell } from "../support/cell.ts"
import { CellUser } from "../support/cell-user.ts"
import { runDasalvager } from "../support/dasalvager.ts"
import { needsCellAndFuse, needsCellAndPatience } from "../support/requirements.ts"
import { salvageHere } from "../support/salvage-here.ts"

const letters = ["a", "b"] as const

const volumesOn = (cell: Cell, letter: "a" | "b"): number[] =>
  readdirSync(cell.partition(letter)).flatMap((name) => {
    const digits = /^V(\d{10})\.vol$/.exec(name)?.[1]
    return digits === undefined ? [] : [Number(digits)]
  })

/** Every command is answered, and nobody has anything any more. */
async function requireNothingHeld(t: ExecutionContext, cell: Cell): Promise<void> {
  for (const letter of letters) {
    for (const id of volumesOn(cell, letter))
      t.regex(await shell(cell, `debug volop -volumeid ${id} || true`), /NO_PENDING_VOL_OP/, `volume ${id}`)
    const locks = await shell(cell, `dafs locks --partition /vicep${letter} --json`)
    t.notRegex(locks, /"volume":\d/, "no volume lock")
  }
}

/** What a dafileserver that is killed leaves of a file that was being written, and no salvage of a volume in use mends. */
const leftByKilled = /^Vnode \d+: version < inode version; fixed \(old status\)$/

async function requireSound(t: ExecutionContext, cell: Cell, { fileserver }: Cast, letter: "a" | "b"): Promise<void> {
  const { findings, salvaged } = await runDasalvager(t, cell.partition(letter))
  const ours = findings.filter((line) => fileserver === "ours" || !leftByKilled.test(line))
  t.deepEqual(ours, [], "dasalvager finds nothing")
  t.true(salvaged.length > 0)
  const told: string[] = []
  const results = await salvageHere(cell.partition(letter), (event) => {
    if (event.type === "finding") told.push(JSON.stringify(event))
  })
  for (const { group, counts } of results) {
    const { loss, left, repaired, note } = counts
    t.deepEqual({ group, loss, left }, { group, loss: 0, left: 0 }, `nor does our salvager: ${told.join("\n")}`)
    if (fileserver === "ours") t.deepEqual({ group, repaired, note }, { group, repaired: 0, note: 0 }, told.join("\n"))
  }
}

/** A volume that is damaged in use: the fileserver asks for a salvage. */
const damage = (cell: Cell, id: number): Promise<string> =>
  shell(cell, `debug error -volumeid ${id} -partition /vicepa -reason 65537`)

/** ... and the volume comes back. */
async function salvageOnDemand(cell: Cell, id: number): Promise<void> {
  await damage(cell, id)
  await until(cell, isState(id, "VOL_STATE_PREATTACHED"))
}

async function salvageByHand(cell: Cell, { salvages }: Cast, id: number): Promise<void> {
  const words =
    salvages === "ours"
      ? `dafs salvager --partition /vicepa --volumeid ${id} --force`
      : `/usr/lib/openafs/dasalvager -partition /vicepa -volumeid ${id} -forceDAFS`
  await shell(cell, words)
  await until(cell, isState(id, "VOL_STATE_PREATTACHED"))
}

/**
 * Kills a worker: of OpenAFS's one that has the volume and waits for the lock of its link table, of ours, which has no use for
 * that lock as long as it only looks, as soon as there is one. Our salvage server has the group salvaged by another worker;
 * OpenAFS's leaves the volume in error, for the operator.
 */
async function killWorker(cell: Cell, cast: Cast, id: number): Promise<void> {
  const linkTable = join("/vicepa", inodePath(id, specialInode(id, "linkTable")))
  await during(cell, `flock ${linkTable} sleep 60`, async () => {
    await until(cell, `! flock --nonblock ${linkTable} true`)
    await damage(cell, id)
    if (cast.salvages === "theirs") await until(cell, isCheckedOut(id))
    await until(cell, `pkill -KILL -P ${await cell.pid("sal")}`)
  })
  if (cast.salvages === "ours") return void (await until(cell, isState(id, "VOL_STATE_PREATTACHED")))
  await until(cell, isState(id, "VOL_STATE_ERROR"))
  await salvageByHand(cell, cast, id)
}

/** Kills the volserver while it has the volume, which was attached: its next user salvages it. */
async function killVolserver(t: ExecutionContext, cell: Cell, cast: Cast, id: number): Promise<void> {
  t.deepEqual(await accessOverRx(cell, [id]), [0])
  await during(cell, operationsOf[cast.operations].hold("one"), async () => {
    await until(cell, isCheckedOut(id))
    await crashVolserver(cell, cast)
  })
}

/** The clients' next accesses have what a crash left salvaged. */
async function awaitService(cell: Cell, ids: readonly number[]): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    const answers = await accessOverRx(cell, ids)
    if (answers.every((code) => code === 0)) return
  }
  throw new Error(`volumes ${ids.join(", ")} do not come back`)
}

/** `ids`: of one on /vicepa and one on /vicepb. */
async function crashes(
  t: ExecutionContext,
  cell: Cell,
  cast: Cast,
  user: CellUser,
  ids: readonly [number, number],
): Promise<void> {
  const [one] = ids
  await killWorker(cell, cast, one)
  await cell.kill("sal")
  await startSalvages(cell, cast)
  await salvageOnDemand(cell, one)
  await killVolserver(t, cell, cast, one)
  await shell(cell, operationsOf[cast.operations].backup("one"))
  await user.whileAway(async () => {
    await cell.kill("fs")
    await startFileserver(cell, cast)
  })
  await user.untilServed()
  await awaitService(cell, ids)
}

async function work(t: ExecutionContext, cell: Cell, cast: Cast, user: CellUser): Promise<void> {
  const run = operationsOf[cast.operations]
  const dump = join(cell.directory, "one.dump")
  await shell(cell, [run.create("one"), run.backup("one"), run.dump("one", dump), run.restore("two", dump)].join("\n"))
  await shell(cell, [run.release("one"), run.offlineAndOnline("two"), run.backup("one")].join("\n"))
  const listed = await shell(cell, `vos listvol ${cellAddress} a -noauth`)
  for (const name of ["one", "one.backup", "one.readonly", "two"])
    t.regex(listed, new RegExp(`^${name} .*On-line`, "m"))
  const idOf = (name: string): number => Number(new RegExp(`^${name} +(\\d+)`, "m").exec(listed)?.[1])
  const [one, two] = [idOf("one"), idOf("two")]
  await salvageOnDemand(cell, one)
  await salvageByHand(cell, cast, one)
  await shell(cell, run.move("two", two, join(cell.directory, "two.dump")))
  t.regex(await shell(cell, `vos listvol ${cellAddress} b -noauth`), /^two .*On-line/m)
  t.deepEqual(await accessOverRx(cell, [two]), [0])

  await crashes(t, cell, cast, user, [one, two])
  await shell(cell, [run.backup("one"), run.create("three"), run.remove("three"), run.dump("one", dump)].join("\n"))
  t.notRegex(await shell(cell, `vos listvol ${cellAddress} a -noauth`), /^(two|three) /m)
}

/** Each takes most of a minute: in every run those in which every program meets one of the other side. */
const isMixed = ({ fileserver, operations, salvages }: Cast): boolean =>
  fileserver !== operations && operations === salvages

const casts: readonly Cast[] = sides.flatMap((fileserver) =>
  sides.flatMap((operations) => sides.map((salvages) => ({ fileserver, operations, salvages }))),
)

for (const cast of casts) {
  const declare = isMixed(cast) || needsCellAndPatience.met ? needsCellAndFuse : needsCellAndPatience
  const { fileserver, operations, salvages } = cast
  declare.serial(
    `matrix: fileserver ${fileserver}, volume operations ${operations}, salvages ${salvages}: all of it works, and leaves nothing behind`,
    async (t) => {
      const cell = await startCell(t, "vl", "pt", "sal", "fs", "vol")
      t.timeout(240_000)
      await cell.createVolume("root.cell")
      await cell.stop("fs", "sal")
      await startSalvages(cell, cast)
      await startFileserver(cell, cast)
      await startOperations(cell, cast)
      const user = await CellUser.start(cell)
      await work(t, cell, cast, user)
      await user.requireUndisturbed(t)
      await cell.stop("fuse")
      await requireNothingHeld(t, cell)
      await stopOperations(cell, cast)
      await cell.stop("fs", "sal")
      for (const letter of letters) await requireSound(t, cell, cast, letter)
    },
  )
}
