/**
 * Whoever is killed at whichever step of a salvage that a fileserver asked for: the volume is salvaged and online in the
 * end, without an operator, and nobody has it checked out or locked any more.
 */
import { unlinkSync } from "node:fs"
import test, { type ExecutionContext } from "ava"
import { headerPath } from "../../common/partition/partition.ts"
import { backupVolume } from "../../volserver/operations/backup.ts"
import { needsCellAndPatience } from "../support/requirements.ts"
import { damageIndex, requireSettled, served, startSalvageRig } from "../support/salvage-rig.ts"
import { chosenSteps, type Stepping, steppingOptions, stepsOf, stopAt, stoppedAt } from "../support/salvage-steps.ts"
import { standaloneContext } from "../support/volume-builder.ts"

type Victim = "worker" | "salvage server" | "fileserver" | "all three"
const victims: readonly Victim[] = ["worker", "salvage server", "fileserver", "all three"]

/** A run for each step takes minutes: unless there is some patience, so many steps have to do, the first and the last among them. */
const stepsMax = needsCellAndPatience.met ? Number.POSITIVE_INFINITY : 9
/** Volumes that are salvaged undisturbed, to learn the steps. The first salvage of a partition makes folders that stay. */
const undisturbed = 2

interface StepRig extends Stepping {
  /** The backup clone of every volume. */
  readonly clones: ReadonlyMap<number, number>
}

async function startStepRig(t: ExecutionContext, count: number, ...words: string[]): Promise<StepRig> {
  const { steps, options } = steppingOptions(t)
  const clones = new Map<number, number>()
  const rig = await startSalvageRig(t, {
    ...options,
    count,
    words,
    async prepare(partition, volumes) {
      const context = standaloneContext([partition])
      for (const id of volumes) clones.set(id, (await backupVolume(context, { partition, id })).id)
    },
  })
  return Object.assign(rig, { steps, clones })
}

const cloneOf = ({ clones }: StepRig, volume: number): number => clones.get(volume) ?? 0

/** The index of a volume that nobody has attached, and the header file of its clone. */
function damage(rig: StepRig, volume: number): void {
  damageIndex(rig, volume)
  unlinkSync(headerPath(rig.partition, cloneOf(rig, volume)))
}

const isKilled = (victim: Victim, who: Victim): boolean => victim === who || victim === "all three"

/** Ends who is to be ended while the salvager has stopped, lets it go on if it lives, and starts again what ended. */
async function kill(rig: StepRig, victim: Victim, worker: number | undefined): Promise<void> {
  if (isKilled(victim, "worker") && worker !== undefined) process.kill(worker, "SIGKILL")
  if (isKilled(victim, "salvage server")) await rig.salvageserver.stop("SIGKILL")
  if (isKilled(victim, "fileserver")) {
    await rig.fileserver.kill()
    await rig.fileserver.start()
  }
  if (isKilled(victim, "salvage server")) await rig.startSalvageserver()
}

/** What every salvage of the rig comes to, whatever it repairs. */
const expectedSteps = [
  /^start$/,
  /^ask VOL_OFF/,
  /^lock .*\.volume\.lock$/,
  /^ask VOL_QUERY_VOP/,
  /^ask VG_QUERY/,
  /^scan /,
  /^write .*AFSIDat/,
  /^lock .*\.volheaders\.lock$/,
  /^ask VOL_ON/,
]

for (const victim of victims) {
  test(`${victim} killed at any step of a salvage: the volume is salvaged and online by itself, without checkout or lock`, async (t) => {
    t.timeout(600_000)
    const most = Number.isFinite(stepsMax) ? stepsMax : 60
    const rig = await startStepRig(t, undisturbed + most, "--parallel", "1")
    const [first = 0, second = 0, ...others] = rig.volumes
    for (const volume of [first, second]) {
      damage(rig, volume)
      t.is(await served(rig, volume), "ok")
    }
    const steps = stepsOf(rig, second)
    for (const step of expectedSteps)
      t.true(
        steps.some((words) => step.test(words)),
        `${step}: ${steps.join("\n")}`,
      )
    t.log(`${steps.length} steps`)
    for (const [index, step] of chosenSteps(steps.length, stepsMax).entries()) {
      const volume = others[index] ?? 0
      const where = `step ${step} of ${steps.length}: ${steps[step - 1]}`
      stopAt(rig, volume, step)
      damage(rig, volume)
      t.is(await rig.fileserver.access(volume), "VBUSY", where)
      await killAt(t, rig, victim, volume, where)
    }
    await requireSettled(t, rig, [...rig.volumes, ...rig.volumes.map((volume) => cloneOf(rig, volume))])
  })
}

async function killAt(t: ExecutionContext, rig: StepRig, victim: Victim, volume: number, where: string): Promise<void> {
  const worker = await stoppedAt(rig, volume)
  await kill(rig, victim, worker)
  if (!isKilled(victim, "worker")) {
    t.not(await rig.fileserver.access(volume), "VNOVOL", `while it has stopped at ${where}`)
    process.kill(worker, "SIGCONT")
  }
  t.is(await served(rig, volume), "ok", where)
}

test("killed while a volume waits in the queue, or just after it came back: whoever it is, both volumes are online in the end", async (t) => {
  t.timeout(300_000)
  const rig = await startStepRig(t, 2 * victims.length, "--parallel", "1")
  for (const [index, victim] of victims.entries()) {
    const [running = 0, queued = 0] = rig.volumes.slice(2 * index)
    stopAt(rig, running, 1)
    for (const volume of [running, queued]) {
      damage(rig, volume)
      t.is(await rig.fileserver.access(volume), "VBUSY")
    }
    await killAt(t, rig, victim, running, "the start")
    t.is(await served(rig, queued), "ok", `${victim} killed while volume ${queued} waited`)
    if (victim === "worker") continue
    await kill(rig, victim, undefined)
    for (const volume of [running, queued]) t.is(await served(rig, volume), "ok", `${victim} killed afterwards`)
  }
  await requireSettled(t, rig)
})
