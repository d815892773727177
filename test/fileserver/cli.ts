import test from "ava"
import { isAfsError } from "../../common/error.ts"
import { configOf } from "../../fileserver/cli.ts"

const plain = {
  partition: undefined,
  openafs: false,
  "state-dir": "state",
  "config-dir": undefined,
  cell: undefined,
  port: 7000,
  rxbind: undefined,
  jumbo: false,
  rxmaxmtu: 1444,
  "socket-back-end": "auto",
  cb: 250_000,
  sync: "onclose",
  spare: undefined,
  pctspare: undefined,
  readonly: false,
  "admin-write": false,
  vlruthresh: 120,
  vlruinterval: 120,
  vlrumax: 8,
  vlrudisable: false,
  "offline-timeout": -1,
  "offline-shutdown-timeout": undefined,
  "lock-holdoff": 2,
  "checkouts-per-connection": 128,
  logfile: undefined,
  "log-level": "info",
} as const

test("fileserver options: OpenAFS's units (minutes, seconds, -1 for never) become milliseconds", (t) => {
  const config = configOf({ ...plain, "offline-shutdown-timeout": 0, partition: ["/vicepa"] })
  t.deepEqual(config.lru, { thresholdMs: 7_200_000, intervalMs: 120_000, max: 8 })
  t.is(config.offlineTimeoutMs, undefined)
  t.is(config.offlineShutdownTimeoutMs, 0)
  t.is(config.lockHoldOffMs, 2_000)
  t.deepEqual(config.partitions, ["/vicepa"])
  t.is(config.promisesMax, 250_000)
  t.is(configOf({ ...plain, "offline-timeout": 5 }).offlineTimeoutMs, 5_000)
  t.is(configOf({ ...plain, vlrudisable: true }).lru, false)
})

test("fileserver options: --openafs stands for OpenAFS's directories, and each can be chosen", (t) => {
  const openafs = configOf({ ...plain, "state-dir": undefined, openafs: true })
  t.like(openafs, { configurationDirectory: "/etc/openafs/server", stateDirectory: "/var/lib/openafs/local" })
  t.is(openafs.partitions, undefined)
  const chosen = configOf({ ...plain, openafs: true, "config-dir": "etc", cell: "other.cell" })
  t.like(chosen, { configurationDirectory: "etc", stateDirectory: "state", cell: "other.cell" })
  t.is(configOf(plain).configurationDirectory, undefined)
})

test("fileserver options: who may change what, and how far beyond a quota", (t) => {
  t.like(configOf(plain), { changesBy: "everybody" })
  t.like(configOf({ ...plain, readonly: true }), { changesBy: "nobody" })
  t.like(configOf({ ...plain, readonly: true, "admin-write": true }), { changesBy: "administrators" })
  t.throws(() => configOf({ ...plain, "admin-write": true }), { message: /--readonly/ })
  t.is(configOf(plain).slack(5000), 1024)
  t.is(configOf({ ...plain, spare: 0 }).slack(5000), 0)
  t.is(configOf({ ...plain, pctspare: 10 }).slack(5005), 500)
  t.throws(() => configOf({ ...plain, spare: 1, pctspare: 1 }), { message: /not both/ })
})

test("fileserver options: what a server can be asked for later are its own", (t) => {
  const { options } = configOf(plain)
  t.deepEqual(
    options.find(({ name }) => name === "offline-timeout"),
    { name: "offline-timeout", value: "-1" },
  )
  t.is(options.length, 10)
})

test("fileserver options: numbers that make no sense are usage errors", (t) => {
  const wrong = [
    { cb: 9_999 },
    { cb: 20_000.5 },
    { cb: 16_000_001 },
    { vlruthresh: 0 },
    { vlruinterval: Number.NaN },
    { vlrumax: -3 },
    { "lock-holdoff": -1 },
    { "checkouts-per-connection": 0 },
    { port: -1 },
    { port: 65_536 },
    { port: 70.5 },
    { rxbind: "fileserver.example.org" },
  ]
  for (const fields of wrong) {
    t.true(
      isAfsError(
        t.throws(() => configOf({ ...plain, ...fields })),
        "USAGE",
      ),
      JSON.stringify(fields),
    )
  }
})
