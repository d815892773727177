/**
 * What each event of a volume's life leaves in VolumeInfo and beside the data: the same events with OpenAFS's fileserver,
 * volserver and salvagers and with ours, from the same partition, every byte compared. docs/openafs.md has the table.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import type { ExecutionContext } from "ava"
import { programTypes } from "../../common/protocol/codes.ts"
import { accessOverRx } from "../support/afs-access.ts"
import {
  type Cast,
  during,
  isCheckedOut,
  isGivenBack,
  isState,
  operationsOf,
  type Side,
  shell,
  startFileserver,
  startOperations,
  startSalvages,
  until,
} from "../support/cast.ts"
import { type Cell, cellAddress, startCell } from "../support/cell.ts"
import { untilDayLasts } from "../support/day.ts"
import { DiskMarks, differentMarks, type Marks } from "../support/disk-marks.ts"
import { patchRecord, volumeInfoOnDisk } from "../support/patch.ts"
import { needsCell } from "../support/requirements.ts"

/** A cell in which one side does everything. */
interface Stage {
  readonly cell: Cell
  readonly cast: Cast
  readonly rw: number
  /** Keeps what is on disk now, under a name. */
  readonly take: (name: string) => void
}

interface Event {
  readonly name: string
  readonly happen: (stage: Stage) => Promise<unknown>
}

async function served({ cell, rw }: Stage): Promise<void> {
  for (let tries = 0; tries < 400; tries++) if ((await accessOverRx(cell, [rw]))[0] === 0) return
  throw new Error(`volume ${rw} does not come back`)
}

const put =
  (name: string): Event["happen"] =>
  ({ cell, rw }) =>
    shell(cell, `echo "$RANDOM" | dafs fs put ${cellAddress} - ${rw}:${name}`)

const command =
  (verb: string, ...words: string[]): Event["happen"] =>
  ({ cell, rw }) =>
    shell(cell, `debug ${verb} -volumeid ${rw} -partition /vicepa ${words.join(" ")}`)

const operation =
  (make: (run: (typeof operationsOf)[Side], dump: string) => string): Event["happen"] =>
  ({ cell, cast }) =>
    shell(cell, make(operationsOf[cast.operations], join(cell.directory, "one.dump")))

/** Waits until the volume is checked out, and marked so on disk. */
async function untilMarked({ cell, rw }: Stage): Promise<void> {
  await until(cell, isCheckedOut(rw))
  for (let tries = 0; tries < 150; tries++) {
    if (volumeInfoOnDisk(cell.partition("a"), rw, rw).inUse === programTypes.volumeServer) return
    await delay(10)
  }
}

/** A volume operation that takes long, looked at in its middle. */
const held =
  (theirs: string, ours: string): Event["happen"] =>
  async (stage) => {
    const { cell, cast, rw, take } = stage
    const words =
      cast.operations === "theirs"
        ? `vos offline ${cellAddress} a one ${theirs} -sleep 4 -noauth`
        : `dafs vos offline one --volserver ${ours} --sleep 4`
    await during(cell, words, async () => {
      await untilMarked(stage)
      take("in the middle")
      await until(cell, isGivenBack(rw))
    })
  }

/** Kills the process that has the volume. */
async function volserverCrash(stage: Stage): Promise<void> {
  const { cell, cast, rw } = stage
  await during(cell, operationsOf[cast.operations].hold("one"), async () => {
    await untilMarked(stage)
    const pid = /pid *= *(\d+)/.exec(await shell(cell, `debug volop -volumeid ${rw}`))?.[1]
    await shell(cell, `kill -KILL ${pid}`)
    await until(cell, `[ ! -d /proc/${pid}/fd ]`)
  })
  if (cast.operations === "theirs") await cell.start("vol")
  await until(cell, isState(rw, "VOL_STATE_PREATTACHED"))
}

const contentDamage = ({ cell, rw }: Stage): void => patchRecord(cell.partition("a"), rw, rw, 1, { linkCount: 7 })

async function salvageOnDemand(stage: Stage): Promise<void> {
  await command("offline")(stage)
  contentDamage(stage)
  await command("error", "-reason 65537")(stage)
  await until(stage.cell, isState(stage.rw, "VOL_STATE_PREATTACHED"))
}

const byHand = (side: Side, words: { readonly ours: string; readonly theirs: string }): string =>
  side === "ours"
    ? `dafs salvager --partition /vicepa ${words.ours}`
    : `/usr/lib/openafs/dasalvager -partition /vicepa ${words.theirs}`

/** A salvage of the whole partition, when nothing runs. */
async function salvagePartition({ cell, cast }: Stage): Promise<void> {
  await shell(cell, byHand(cast.salvages, { ours: "--force --offline", theirs: "-force" }))
}

const stopServers = ({ cell }: Stage): Promise<void> => cell.stop("fs", "sal")

async function startServers({ cell, cast }: Stage): Promise<void> {
  await startSalvages(cell, cast)
  await startFileserver(cell, cast)
}

const events: readonly Event[] = [
  { name: "create", happen: operation((run) => run.create("fresh")) },
  { name: "attach", happen: served },
  { name: "first write", happen: put("one") },
  { name: "offline", happen: command("offline") },
  { name: "online", happen: command("online") },
  { name: "attach again", happen: served },
  { name: "second write", happen: put("two") },
  { name: "check-out, busy", happen: held("-busy", "--busy") },
  { name: "attach after it", happen: served },
  { name: "check-out, offline", happen: held("", "") },
  { name: "backup", happen: operation((run) => run.backup("one")) },
  { name: "write behind it", happen: put("two") },
  { name: "backup again", happen: operation((run) => run.backup("one")) },
  { name: "release", happen: operation((run) => run.release("one")) },
  { name: "dump", happen: operation((run, dump) => run.dump("one", dump)) },
  { name: "restore", happen: operation((run, dump) => run.restore("restored", dump)) },
  { name: "use before the crash of the volserver", happen: served },
  { name: "crash of the volserver", happen: volserverCrash },
  { name: "backup after it", happen: operation((run) => run.backup("one")) },
  { name: "salvage on demand", happen: salvageOnDemand },
  { name: "attach after the salvage", happen: served },
  { name: "write after the salvage", happen: put("two") },
  {
    name: "clean shutdown",
    happen: async (stage) => {
      await stopServers(stage)
      await startServers(stage)
    },
  },
  { name: "attach after the shutdown", happen: served },
  {
    name: "crash",
    happen: async ({ cell }) => {
      await cell.kill("fs")
      await cell.kill("sal")
    },
  },
  { name: "salvage of the partition", happen: salvagePartition },
  {
    name: "crash again",
    async happen(stage) {
      await startServers(stage)
      await served(stage)
      await stage.cell.kill("fs")
      await startFileserver(stage.cell, stage.cast)
    },
  },
  { name: "attach after the crash", happen: served },
  {
    name: "salvage of contents",
    async happen(stage) {
      await stopServers(stage)
      writeFileSync(join(stage.cell.partition("a"), "FORCESALVAGE"), "")
      contentDamage(stage)
      await salvagePartition(stage)
    },
  },
  {
    name: "attach after it was told",
    async happen(stage) {
      await startServers(stage)
      await served(stage)
    },
  },
  { name: "remove", happen: operation((run) => run.remove("restored")) },
]

const castOf = (side: Side): Cast => ({ fileserver: side, operations: side, salvages: side })

/** So long, that what comes next has later dates. */
const untilNextSecond = (): Promise<void> => delay(1000 - (Date.now() % 1000) + 5)

async function marksOf(t: ExecutionContext, side: Side): Promise<Map<string, Marks>> {
  const cell = await startCell(t, "vl", "pt", "sal", "fs", "vol")
  t.timeout(400_000)
  const cast = castOf(side)
  const rw = await cell.createVolume("one")
  await cell.stop("fs", "sal")
  await startSalvages(cell, cast)
  await startFileserver(cell, cast)
  await startOperations(cell, cast)
  const disk = new DiskMarks(cell.partition("a"), cell.stateDirectory)
  const found = new Map<string, Marks>()
  disk.take(0)
  for (const { name, happen } of events) {
    await untilNextSecond()
    const since = Math.floor(Date.now() / 1000)
    const take = (moment: string): void => void found.set(moment === "" ? name : `${name}, ${moment}`, disk.take(since))
    await happen({ cell, cast, rw, take })
    take("")
  }
  await cell.down()
  return found
}

/** What differs, and why that is as it should be. */
const deliberate: readonly RegExp[] = [
  // ours; may be deleted without loss
  /: \.dafs: - \|/,
  // the root directory counts, as it does after every clone and salvage
  /: fresh filecount: 0 \| 1$/,
  // a clone does not say why its source was offline
  /: one\.(backup|readonly) offlineMessage: "A volume utility is running\." \| ""$/,
  // a salvage that finds nothing to repair writes nothing
  /: (fresh|restored|one\.backup|one\.readonly) dontSalvage: 229 \| 0$/,
  // contents that a salvage changed have to be in the next incremental dump, whether clients were told or not
  /^salvage on demand: one updateDate: as before \| now$/,
  // the same write of VolumeInfo, some looks at vnodes by the same calls later
  /^write after the salvage: one dayUse: /,
  // sockets are of no use to others than their owner, and go with their server
  /: state: (fssync|salvsync)\.sock: mode 755 \| (mode 600|-)$/,
  // whether the last write is counted before the volume is cloned is a matter of the moment
  /: one\.backup stat(Reads|Writes|FileSameAuthor): /,
  // what ours keep in the state directory; of clients, in a form of their own
  /: state: (fileserver\.pid|salvages\.sock|salvages\.jsonl|volser\.sock|volume-id|clients\.state): - \| mode 6/,
  /: state: (fsstate\.dat|fsstate\.dat\.old|sysid\.old): mode 6\d\d \| -$/,
]

needsCell("events leave on disk what OpenAFS's programs leave", async (t) => {
  t.timeout(700_000)
  await untilDayLasts(240)
  const [theirs, ours] = await Promise.all([marksOf(t, "theirs"), marksOf(t, "ours")])
  t.is(theirs.size, events.length + 2)
  const found = [...theirs]
    .flatMap(([name, marks]) => differentMarks(name, marks, ours.get(name) ?? new Map()))
    .filter((difference) => !deliberate.some((known) => known.test(difference)))
  t.is(found.join("\n"), "")
})
