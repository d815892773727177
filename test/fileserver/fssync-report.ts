import test from "ava"
import {
  countOn,
  generalStats,
  hashStats,
  headerStats,
  partitionStats,
  reportOperation,
  reportRow,
  reportVolume,
  salvageReasonNumber,
  vlruStats,
} from "../../fileserver/fssync-report.ts"
import {
  generalStatsShape,
  hashStatsShape,
  headerStatsShape,
  partitionStatsShape,
  vlruStatsShape,
  volumeOperationShape,
  volumeRowsShape,
  volumeShape,
} from "../../fssync/payload.ts"
import { clones, serve } from "../support/served-volumes.ts"

test("reports: everything fits the shape that it travels in, in every state of a volume", async (t) => {
  const served = serve(t)
  const volserver = served.asker("volumeServer")
  const { volumes } = served
  const reported = (): void => {
    for (const volume of volumes.volumes()) {
      t.notThrows(() => volumeShape.pack(reportVolume(volume)))
      const operation = reportOperation(volume)
      if (operation !== undefined) t.notThrows(() => volumeOperationShape.pack(operation))
    }
    t.notThrows(() => volumeRowsShape.pack([...volumes.volumes()].map(reportRow)))
    t.notThrows(() => generalStatsShape.pack(generalStats(volumes)))
    t.notThrows(() => headerStatsShape.pack(headerStats(volumes)))
  }
  reported()
  const use = await volumes.acquire(clones.rw)
  reported()
  const waiting = volserver.ask("VOL_NEEDVOLUME", { volume: clones.rw, reason: 2 })
  reported()
  use.release()
  await waiting
  await volserver.ask("VOL_FORCE_ERROR", { volume: clones.bk, reason: 65537 })
  await volserver.ask("VOL_FORCE_ERROR", { volume: clones.ro, reason: 65536 })
  await volserver.ask("VOL_DONE", { volume: clones.otherBk })
  reported()
  await new Promise((resolve) => setImmediate(resolve))
  reported()
})

test("reports: what does not exist is told by undefined", (t) => {
  const { volumes } = serve(t)
  t.is(partitionStats(volumes, "/vicepz"), undefined)
  t.is(hashStats(volumes, 1024), undefined)
  t.is(vlruStats(volumes, 5), undefined)
  t.notThrows(() => partitionStatsShape.pack(partitionStats(volumes, "/vicepa") ?? t.fail()))
  t.notThrows(() => hashStatsShape.pack(hashStats(volumes, 6) ?? t.fail()))
  t.notThrows(() => vlruStatsShape.pack(vlruStats(volumes, 4) ?? t.fail()))
  t.is(countOn(volumes, "/vicepa"), 5)
  t.is(countOn(volumes, "/vicepz"), 0)
})

test("reports: salvage reasons have SALVSYNC's numbers", (t) => {
  t.is(salvageReasonNumber("ERROR"), 65537)
  t.is(salvageReasonNumber("NEEDED"), 65540)
})
