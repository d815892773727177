/**
 * A fileserver whose volumes are idle at once: `partition state-directory`. Its volumes' time runs a thousand times as fast, so
 * that they are detached and attached again all the while, as others are in days. Prints `serving PORT`; ends at SIGTERM.
 */
import { type Clock, systemClock } from "../../common/clock.ts"
import { openLog } from "../../common/log.ts"
import { usualSlack } from "../../common/volume/volume-usage.ts"
import { type FileserverConfig, serveVolumes } from "../../fileserver/main.ts"

const [, , partition = "", stateDirectory = ""] = process.argv
const haste = 1000
const start = Date.now()

const clock: Clock = {
  now: () => start + (Date.now() - start) * haste,
  after: (ms, action) => systemClock.after(ms / haste, action),
}

const stopped = new Promise<string>((resolve) => process.once("SIGTERM", () => resolve("SIGTERM")))
const config: FileserverConfig = {
  partitions: [partition],
  stateDirectory,
  configurationDirectory: undefined,
  cell: undefined,
  address: "127.0.0.1",
  port: 0,
  socketBackEnd: "auto",
  jumbograms: 1,
  packetSizeMax: 1444,
  sync: "onclose",
  slack: usualSlack,
  changesBy: "everybody",
  checkoutsMax: 128,
  lockHoldOffMs: 2_000,
  offlineTimeoutMs: undefined,
  offlineShutdownTimeoutMs: undefined,
  version: "1",
  options: [],
  clock,
  lru: { thresholdMs: 1_000, intervalMs: 1_000, max: 8 },
}
await serveVolumes(config, openLog("fileserver", { level: "debug" }), stopped, (port) =>
  process.stdout.write(`serving ${port}\n`),
)
