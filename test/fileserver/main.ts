import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import test from "ava"
import { isAfsError } from "../../common/error.ts"
import { silentLog } from "../../common/log.ts"
import { usualSlack } from "../../common/volume/volume-usage.ts"
import { type FileserverConfig, serveVolumes } from "../../fileserver/main.ts"
import { FssyncClient } from "../../fssync/fssync-client.ts"
import { responses } from "../../fssync/message.ts"
import { clones, fixturePartition, infoOnDisk } from "../support/served-volumes.ts"

const plain: Omit<FileserverConfig, "partitions" | "stateDirectory"> = {
  configurationDirectory: undefined,
  cell: undefined,
  address: undefined,
  port: 0,
  sync: "never",
  slack: usualSlack,
  changesBy: "everybody",
  socketBackEnd: "auto",
  jumbograms: 1,
  packetSizeMax: 1444,
  lru: false,
  offlineTimeoutMs: undefined,
  offlineShutdownTimeoutMs: undefined,
  lockHoldOffMs: 2_000,
  checkoutsMax: 128,
  version: "1",
  options: [],
}

test("fileserver: the socket is there when it says that it is ready, and gone with every volume detached when it has stopped", async (t) => {
  const partition = fixturePartition(t)
  const stateDirectory = join(dirname(partition.path), "state")
  const socket = join(stateDirectory, "fssync.sock")
  let stop: (reason: string) => void = () => undefined
  const stopped = new Promise<string>((resolve) => {
    stop = resolve
  })
  let serving: Promise<void> = Promise.resolve()
  await new Promise<void>((resolve) => {
    serving = serveVolumes({ ...plain, partitions: [partition.path], stateDirectory }, silentLog(), stopped, () =>
      resolve(),
    )
  })
  const client = new FssyncClient({ path: socket, programType: "debugUtility" })
  t.is((await client.get(clones.rw)).response, responses.OK)
  t.is(infoOnDisk(partition, clones.rw).inUse, 1)
  stop("test")
  await serving
  await client.close()
  t.false(existsSync(socket))
  t.is(infoOnDisk(partition, clones.rw).inUse, 0)
})

test("fileserver: a partition that cannot be served is an error before anything is made", async (t) => {
  const partition = fixturePartition(t)
  const stateDirectory = join(dirname(partition.path), "state")
  const wanted = { ...plain, partitions: [join(partition.path, "none")], stateDirectory }
  const error = await t.throwsAsync(serveVolumes(wanted, silentLog(), Promise.resolve(""), () => t.fail()))
  t.true(isAfsError(error, "ENOENT"))
  t.false(existsSync(stateDirectory))
})
