/** How long does it take to lock and unlock one volume? Against a C loop over fcntl, or Python's where there is no compiler. */
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { tryRecordLock, unlockRecord } from "../common/lock/record-lock.ts"
import { type LockedPartition, lockVolume } from "../common/lock/volume-lock.ts"
import {
  answer,
  benchFile,
  hasProgram,
  inTemporaryDirectory,
  microseconds,
  type Question,
  report,
  type Side,
} from "./measure.ts"

const volume = 536_870_915
/** Short rounds and many of them: other work on the machine then spoils few. */
const locksPerRound = 40_000
const rounds = 25
const goal = { atMost: 1.3 } as const

const pythonLoop = `
import fcntl, os, sys, time
fd, offset, count = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o660), int(sys.argv[2]), int(sys.argv[3])
begin = time.perf_counter()
for _ in range(count):
    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
    fcntl.lockf(fd, fcntl.LOCK_UN, 1, offset)
print((time.perf_counter() - begin) * 1e6 / count)
`

function peerLoop(directory: string): Side | undefined {
  const path = join(directory, "peer.lock")
  const run = (name: string, program: string, ...args: string[]): Side => {
    const words = [...args, path, String(volume), String(locksPerRound)]
    return { name, round: () => Number(execFileSync(program, words, { encoding: "utf8" })) }
  }
  if (hasProgram("cc")) {
    const program = join(directory, "lock-loop")
    execFileSync("cc", ["-O2", "-o", program, benchFile("lock.c")])
    return run("fcntl in a C loop", program)
  }
  return hasProgram("python3") ? run("fcntl in a Python loop", "python3", "-c", pythonLoop) : undefined
}

function wholePath(partition: LockedPartition): Side {
  const work = (): void => lockVolume(partition, volume, "write").release()
  return { name: "lockVolume", round: () => microseconds(locksPerRound, work) }
}

function bareCalls(path: string): Side {
  const { descriptor } = nodeDisk.open(path, "lock", 0o600)
  const work = (): void => {
    if (!tryRecordLock(descriptor, "write", volume)) throw new Error("somebody else holds the byte")
    unlockRecord(descriptor, volume)
  }
  return { name: "tryRecordLock", round: () => microseconds(locksPerRound, work) }
}

/** A volume that this process has already: what a refusal costs with the holder found and named. */
function refusals(partition: LockedPartition): Side {
  const taken = volume + 1
  const work = (): void => {
    try {
      lockVolume(partition, taken, "write")
    } catch {
      return
    }
    throw new Error("the volume should have been refused")
  }
  return {
    name: "lockVolume",
    round() {
      using _lock = lockVolume(partition, taken, "write")
      return microseconds(500, work)
    },
  }
}

await inTemporaryDirectory(async (directory) => {
  const partition = { path: directory, name: "/vicepa", disk: nodeDisk }
  const peer = peerLoop(directory)
  const unit = "µs"
  const questions: Question[] = [
    { what: "lock + unlock a volume (lockVolume, release)", unit, ours: wholePath(partition), peer, goal, rounds },
    {
      what: "lock + unlock a byte (tryRecordLock, unlockRecord)",
      unit,
      ours: bareCalls(join(directory, "bare.lock")),
      peer,
      goal,
      rounds,
    },
    { what: "a refusal that names the holder", unit, ours: refusals(partition) },
  ]
  const answers = []
  for (const question of questions) answers.push(await answer(question))
  report(answers)
})
