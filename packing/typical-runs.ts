/** Typical runs of our programs, for the sake of the code that they use. They work on a partition of their own, without privilege. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { fileserverSwitches } from "../cli/node-switches.ts"
import { dataInode, specialInode } from "../common/partition/inode-number.ts"
import { InodeStore } from "../common/partition/inode-store.ts"
import { openPartition } from "../common/partition/partition.ts"
import { recordOffset } from "../common/vnode/vnode-record.ts"
import type { GroupTask } from "../salvager/group-pool.ts"
import type { WorkerOrder } from "../salvager/group-worker.ts"

/** Programs to run: they record, and are run as the real ones are. */
export interface RunPrograms {
  readonly dafs: string
  readonly groupWorker: string
}

const patienceMs = 60_000
/** The id of the first volume of a partition. */
const firstVolume = 536_870_912
/** With so many names in a partition's directory a salvager loads the C library. */
const manyNames = 64

/** Everything that one typical run needs. */
interface Scene {
  readonly programs: RunPrograms
  readonly partition: string
  readonly state: string
  readonly dumps: string
}

function start(program: string, words: readonly string[], switches: readonly string[] = []): ChildProcess {
  const { DAFS_SYNC_FORM: _form, NODE_OPTIONS: _options, ...env } = process.env
  const child = fork(program, [...words], {
    execArgv: [...switches],
    env,
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    serialization: "advanced",
  })
  const timer = setTimeout(() => child.kill("SIGKILL"), patienceMs)
  child.once("exit", () => clearTimeout(timer))
  return child
}

/** @throws Error with what the program said if it failed */
async function ended(child: ChildProcess, what: string): Promise<void> {
  let said = ""
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said += text
  })
  const [status, signal] = await once(child, "exit")
  if (status !== 0) throw new Error(`dafs ${what}: ${signal ?? `status ${status}`}\n${said}`)
}

const run = ({ programs }: Scene, line: string): Promise<void> => ended(start(programs.dafs, line.split(" ")), line)

const placeOf = ({ partition, state }: Scene): string => `--partition ${partition} --state-dir ${state}`

/** Without a server. */
async function runAlone(scene: Scene): Promise<void> {
  const { partition, dumps } = scene
  const place = `${placeOf(scene)} --offline`
  await run(scene, "--help")
  await run(scene, `partition create ${partition} --development`)
  for (const volume of ["packed.one", "packed.two"])
    await run(scene, `vos create ${volume} ${place} --everybody rlidwk`)
  await run(scene, `vos dump packed.two ${place} --file ${dumps}/two`)
  await run(scene, `vos restore packed.three ${place} --file ${dumps}/two`)
  await run(scene, `vos size packed.two ${place}`)
  await run(scene, `volinfo --partition ${partition}`)
}

/** Files for the salvage that follows. */
async function runFilled(scene: Scene, port: number): Promise<void> {
  for (const name of ["one", "two", "three"])
    await run(scene, `fs put localhost:${port} ${join(scene.dumps, "two")} ${firstVolume}:${name}`)
}

async function runDamaged(scene: Scene): Promise<void> {
  damage(scene)
  await run(scene, `salvager ${placeOf(scene)} --offline --force`)
  damage(scene)
  await runWorker(scene)
}

/**
 * So that a salvage has something to repair: wrong link counts, a wrong count of files, a wrong length, a wrong parent, and a
 * damaged directory.
 */
function damage({ partition }: Scene): void {
  for (let name = 0; name < manyNames; name++) writeFileSync(join(partition, `name-${name}`), "")
  const store = new InodeStore(openPartition(partition), firstVolume)
  const [index, links] = [specialInode(firstVolume, "smallIndex"), specialInode(firstVolume, "linkTable")]
  overwrite(store.path(links), 10, [3, 0, 3])
  overwrite(store.path(specialInode(firstVolume, "volumeInfo")), 152, [7])
  overwrite(store.path(index), recordOffset(2) + 4, [7])
  overwrite(store.path(index), recordOffset(4) + 32, [9])
  overwrite(store.path(dataInode(1, 1, 0)), 12, [0])
}

function overwrite(path: string, at: number, bytes: readonly number[]): void {
  const file = openSync(path, "r+")
  writeSync(file, Uint8Array.from(bytes), 0, bytes.length, at)
  closeSync(file)
}

/** A process of a salvage of many groups. */
async function runWorker({ programs, partition, state }: Scene): Promise<void> {
  const options = {
    readOnly: false,
    orphans: "attach",
    salvageDirs: false,
    undo: { seconds: 86_400, bytes: 2 ** 20 },
  } as const
  const order: WorkerOrder = {
    type: "order",
    options,
    program: "salvager",
    stateDirectory: state,
    hasFileserver: false,
    optimizesLate: false,
  }
  const task: GroupTask = { partition, name: "", group: firstVolume, force: true }
  const child = start(programs.groupWorker, [])
  child.on("message", (message: { readonly type: string }) => {
    if (message.type === "ready") child.send({ type: "tasks", tasks: [task] })
    if (message.type === "done") child.disconnect()
  })
  child.send(order)
  await ended(child, "salvager's worker")
}

async function withDaemon(
  { programs }: Scene,
  line: string,
  switches: readonly string[],
  work: (port: number) => Promise<void>,
): Promise<void> {
  const child = start(programs.dafs, line.split(" "), switches)
  const end = ended(child, line)
  end.catch(() => undefined) // if the work fails first, that is told
  const [ready] = (await Promise.race([once(child, "message"), end])) ?? []
  try {
    await work(ready?.port ?? 0)
  } finally {
    child.kill("SIGTERM")
  }
  await end
}

/** What operators and clients do while the servers run. */
async function runServed(scene: Scene, port: number): Promise<void> {
  const { partition, state, dumps } = scene
  const [server, file] = [`localhost:${port}`, join(dumps, "two")]
  const place = placeOf(scene)
  await run(scene, `vos examine packed.one ${place}`)
  await run(scene, `fs put ${server} ${file} ${firstVolume}:`)
  await run(scene, `fs ls ${server} ${firstVolume}:`)
  await run(scene, `fs get ${server} ${firstVolume}:two ${file}.got`)
  await run(scene, `fs stat ${server} ${firstVolume}:two`)
  await run(scene, `vos listvol ${place}`)
  await run(scene, `vos backup packed.one ${place}`)
  await run(scene, `vos release packed.one ${place}`)
  await run(scene, `vos offline packed.one ${place}`)
  await run(scene, `vos online packed.one ${place}`)
  await run(scene, `vos dump packed.one ${place} --file ${dumps}/one --volserver`)
  await run(scene, `vos remove packed.three ${place}`)
  await run(scene, `fssync query --volumeid ${firstVolume} --state-dir ${state}`)
  await run(scene, `fssync listvolumes --state-dir ${state}`)
  await run(scene, `fssync status --state-dir ${state}`)
  await run(scene, `locks --partition ${partition}`)
  await run(scene, `salvage request --partition ${partition} --volumeid ${firstVolume} --state-dir ${state} --wait`)
  await run(scene, `salvage status --state-dir ${state}`)
  await run(scene, `salvage query --partition ${partition} --volumeid ${firstVolume} --state-dir ${state}`)
}

/** Runs everything once in an empty folder. @throws Error if a run fails */
export async function runTypically(programs: RunPrograms, folder: string): Promise<void> {
  const scene: Scene = { programs, partition: join(folder, "vicepa"), state: join(folder, "state"), dumps: folder }
  mkdirSync(scene.state)
  const place = `${placeOf(scene)} --log-level error`
  await runAlone(scene)
  const fileserver = `fileserver ${place} --port 0`
  await withDaemon(scene, fileserver, [], (port) => runFilled(scene, port))
  await runDamaged(scene)
  await withDaemon(scene, `salvageserver ${place}`, [], () =>
    withDaemon(scene, fileserver, fileserverSwitches, (port) =>
      withDaemon(scene, `volserver ${place}`, [], () => runServed(scene, port)),
    ),
  )
}
