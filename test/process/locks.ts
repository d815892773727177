/** Volume locks between processes: ours and programs that know nothing of ours. */
import { execFileSync, fork, spawnSync } from "node:child_process"
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { open, readFile } from "node:fs/promises"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import test, { type ExecutionContext } from "ava"
import { nodeDisk } from "../../common/disk/node-disk.ts"
import { AfsError } from "../../common/error.ts"
import { type LockedPartition, lockVolume } from "../../common/lock/volume-lock.ts"
import { anyLocker, type ForeignLock, holdForeign, lockers, needsLocker, tryForeign } from "../support/foreign-lock.ts"
import { builtProgram } from "../support/project.ts"
import { type Spawned, spawnProgram, spawnSource } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

const volumes = [1, 536_870_912, 2 ** 31, 2 ** 32 - 1] as const
const types = ["read", "write"] as const
type Kind = "record" | "description"
type Type = (typeof types)[number]

interface TestPartition extends LockedPartition {
  readonly lockFile: string
}

function partitionOf(t: ExecutionContext): TestPartition {
  const path = temporaryDirectory(t)
  return { path, name: "/vicepa", disk: nodeDisk, lockFile: join(path, ".volume.lock") }
}

/** Whether we get the lock; it is let go again. */
function isFree(partition: LockedPartition, volume: number, type: Type): boolean {
  try {
    lockVolume(partition, volume, type).release()
    return true
  } catch (error) {
    if (error instanceof AfsError && error.code === "LOCKED") return false
    throw error
  }
}

async function holdOurs(t: ExecutionContext, path: string, type: Type, ...wanted: number[]): Promise<Spawned> {
  const program = spawnSource(t, "test/process/volume-lock.program.ts", [path, type, ...wanted.map(String)])
  await program.line(/^locked$/)
  return program
}

const neighbours = (volume: number): number[] => [volume - 1, volume + 1].filter((one) => one < 2 ** 32)

for (const { name, declare, locker } of lockers) {
  for (const kind of ["record", "description"] as const satisfies Kind[]) {
    const what = kind === "record" ? "" : " with locks of its open file descriptions"

    declare(
      `locks: what a ${name} program${what} has is refused to us, a shared volume and its neighbours are not`,
      async (t) => {
        for (const type of types) {
          const partition = partitionOf(t)
          await holdForeign(t, locker(), partition.lockFile, ...volumes.map((first) => ({ kind, type, first })))
          for (const volume of volumes) {
            t.false(isFree(partition, volume, "write"), `write of ${volume} against ${type}`)
            t.is(isFree(partition, volume, "read"), type === "read", `read of ${volume} against ${type}`)
            for (const near of neighbours(volume)) t.true(isFree(partition, near, "write"), `${near}`)
          }
        }
      },
    )

    declare(
      `locks: what we have is refused to a ${name} program${what}, a shared volume and its neighbours are not`,
      async (t) => {
        for (const type of types) {
          const partition = partitionOf(t)
          const held = volumes.map((volume) => lockVolume(partition, volume, type))
          const tries = (wanted: Type): ForeignLock[] => volumes.map((first) => ({ kind, type: wanted, first }))
          t.deepEqual(await tryForeign(locker(), partition.lockFile, ...tries("write")), [false, false, false, false])
          const shared = type === "read"
          t.deepEqual(await tryForeign(locker(), partition.lockFile, ...tries("read")), [
            shared,
            shared,
            shared,
            shared,
          ])
          const near = volumes.flatMap(neighbours).map((first) => ({ kind, type: "write", first }) as const)
          t.deepEqual(
            await tryForeign(locker(), partition.lockFile, ...near),
            near.map(() => true),
          )
          for (const lock of held) lock.release()
          t.deepEqual(await tryForeign(locker(), partition.lockFile, ...tries("write")), [true, true, true, true])
        }
      },
    )
  }
}

// A killed volserver's volumes stayed locked until somebody removed a lock file by hand.
needsLocker("locks: a program that is killed has let go of its volumes, theirs and ours", async (t) => {
  const partition = partitionOf(t)
  const theirs = await holdForeign(t, anyLocker(), partition.lockFile, { type: "write", first: 5 })
  t.false(isFree(partition, 5, "read"))
  await theirs.stop("SIGKILL")
  t.true(isFree(partition, 5, "write"))
  const ours = await holdOurs(t, partition.path, "write", 5)
  t.false(isFree(partition, 5, "read"))
  t.deepEqual(await tryForeign(anyLocker(), partition.lockFile, { type: "read", first: 5 }), [false])
  await ours.stop("SIGKILL")
  t.deepEqual(await tryForeign(anyLocker(), partition.lockFile, { type: "write", first: 5 }), [true])
  t.true(isFree(partition, 5, "write"))
})

// A stopped davolserver once made every program that met its volume wait for ever.
needsLocker("locks: a stopped program that holds a volume makes nobody wait", async (t) => {
  const partition = partitionOf(t)
  const theirs = await holdForeign(t, anyLocker(), partition.lockFile, { type: "write", first: 5 })
  const ours = await holdOurs(t, partition.path, "read", 6)
  for (const program of [theirs, ours]) program.signal("SIGSTOP")
  for (let round = 0; round < 50; round++) {
    t.false(isFree(partition, 5, "read"))
    t.false(isFree(partition, 6, "write"))
    t.true(isFree(partition, 6, "read"))
  }
  const tries = [
    { type: "read", first: 5 },
    { type: "write", first: 6 },
  ] as const
  t.deepEqual(await tryForeign(anyLocker(), partition.lockFile, ...tries), [false, false])
})

/** Fails unless every volume that `during` found locked by us still is. */
async function stillLocked(t: ExecutionContext, during: (partition: TestPartition) => Promise<void>): Promise<void> {
  const partition = partitionOf(t)
  const held = volumes.map((volume) => lockVolume(partition, volume, "write"))
  await during(partition)
  const tries = volumes.map((first) => ({ type: "read", first }) as const)
  t.deepEqual(await tryForeign(anyLocker(), partition.lockFile, ...tries), [false, false, false, false])
  for (const lock of held) lock.release()
}

needsLocker("locks: opening and closing other files of the partition loses none", async (t) => {
  await stillLocked(t, async ({ path }) => {
    for (const name of [".volheaders.lock", "V0536870912.vol"]) {
      writeFileSync(join(path, name), "")
      readFileSync(join(path, name))
      closeSync(openSync(join(path, name), "r+"))
      await readFile(join(path, name))
      await (await open(join(path, name))).close()
    }
    closeSync(openSync(path, "r"))
    readdirSync(path)
    t.truthy(nodeDisk.stat(join(path, ".volume.lock")))
    nodeDisk.syncDirectory(path)
    nodeDisk.open(join(path, ".volume.lock"), "path").close()
  })
})

needsLocker("locks: worker threads that open and close other files, and end, lose none", async (t) => {
  await stillLocked(t, async ({ path }) => {
    const code = `const fs = require("node:fs"); const { workerData } = require("node:worker_threads")
      for (let i = 0; i < 100; i++) {
        const file = fs.openSync(workerData + "/other-" + i, "w"); fs.writeSync(file, "x"); fs.closeSync(file)
        fs.readFileSync(workerData + "/other-" + i); fs.statSync(workerData + "/.volume.lock")
      }`
    const workers = [1, 2].map(() => new Worker(code, { eval: true, workerData: path }))
    const ends = workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve)))
    t.deepEqual(await Promise.all(ends), [0, 0])
  })
})

needsLocker(
  "locks: child processes, even one that opens and closes the lock file itself, lose none and inherit none",
  async (t) => {
    await stillLocked(t, async ({ path, lockFile }) => {
      t.is(spawnSync("cat", [lockFile]).status, 0)
      execFileSync("sh", ["-c", `exec 9<>"$0"; exec 9>&-; ls /proc/self/fd >/dev/null`, lockFile])
      const child = fork(builtProgram("test/process/volume-lock.program.ts"), [path, "write", "77"], { silent: true })
      t.teardown(() => child.kill("SIGKILL"))
      await new Promise((resolve) => child.stdout?.once("data", resolve))
      t.false(isFree({ path, name: "/vicepa", disk: nodeDisk }, 77, "read"))
      const exit = new Promise((resolve) => child.once("exit", resolve))
      child.kill("SIGKILL")
      await exit
    })
  },
)

needsLocker("locks: a child that outlives us keeps none of our locks", async (t) => {
  const partition = partitionOf(t)
  const script = `const { spawn } = require("node:child_process")
    import(process.argv[1]).then((locks) => import(process.argv[2]).then((disks) => {
      locks.lockVolume({ path: process.argv[3], name: "/vicepa", disk: disks.nodeDisk }, 5, "write")
      const child = spawn("sleep", ["infinity"], { stdio: "ignore", detached: true })
      process.stdout.write("child " + child.pid + "\\n")
      setInterval(() => undefined, 1 << 30)
    }))`
  const modules = ["common/lock/volume-lock.ts", "common/disk/node-disk.ts"].map(builtProgram)
  const parent = spawnProgramText(t, script, ...modules, partition.path)
  const child = Number((await parent.line(/^child \d+$/)).split(" ")[1])
  t.teardown(() => process.kill(child, "SIGKILL"))
  t.false(isFree(partition, 5, "read"))
  await parent.stop("SIGKILL")
  t.true(isFree(partition, 5, "write"))
})

function spawnProgramText(t: ExecutionContext, script: string, ...args: string[]): Spawned {
  return spawnProgram(t, process.execPath, ["--eval", script, ...args])
}

test("locks: of many processes that want one volume, one has it at a time, and each gets its turn", async (t) => {
  const partition = partitionOf(t)
  const log = join(partition.path, "log")
  const rounds = 200
  const racers = [1, 2, 3, 4].map((name) =>
    spawnSource(t, "test/process/lock-race.program.ts", [partition.path, log, String(name), String(rounds)]),
  )
  for (const racer of racers) t.is((await racer.ended).status, 0, racer.stderr())
  const lines = readFileSync(log, "utf8").trim().split("\n")
  t.is(lines.length, 2 * rounds * racers.length)
  for (let at = 0; at < lines.length; at += 2)
    t.deepEqual([lines[at], lines[at + 1]], [`${lines[at]?.[0]} in`, `${lines[at]?.[0]} out`])
})
