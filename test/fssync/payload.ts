import test from "ava"
import { FormatError } from "../../common/error.ts"
import { newVolumeInfo } from "../../common/volume/volume-info.ts"
import {
  generalStatsShape,
  hashStatsShape,
  headerStatsShape,
  partitionStatsShape,
  salvageStatusShape,
  serverStatusShape,
  vlruStatsShape,
  vnodeShape,
  volumeGroupShape,
  volumeInfoShape,
  volumeOperationShape,
  volumeRowsShape,
  volumeShape,
} from "../../fssync/payload.ts"
import { packPlain, unpackPlain } from "../../fssync/plain-msgpack.ts"
import type { Shape } from "../../fssync/shape.ts"
import { sampleRequest, sampleRow, sampleVolume } from "../support/sync-samples.ts"

const samples: Readonly<Record<string, readonly [Shape<unknown>, unknown]>> = {
  volume: [volumeShape, sampleVolume(536870912)],
  "volume information": [
    volumeInfoShape,
    newVolumeInfo({ id: 5, name: "root.cell", offlineMessage: "gone fishing", maxquota: 5000 }),
  ],
  "volume operation": [volumeOperationShape, { request: sampleRequest(), state: 3 }],
  vnode: [
    vnodeShape,
    {
      hashIndex: 1,
      vnodeNumber: 1,
      volume: 5,
      nUsers: 0,
      cacheCheck: 1,
      Vn_state_flags: 0,
      Vn_state: 2,
      nReaders: 0,
      disk: Buffer.alloc(256, 7),
    },
  ],
  "general statistics": [
    generalStatsShape,
    {
      state_levels: Array.from({ length: 24 }, (_, state) => state),
      hash_looks: 2 ** 40,
      hash_reorders: 2 ** 33,
      salvages: 1,
      vol_ops: 2,
      hdr_loads: 3,
      hdr_gets: 4,
      attaches: 5,
      soft_detaches: 6,
      hdr_cache_size: 400,
    },
  ],
  "partition statistics": [
    partitionStatsShape,
    { free: 2 ** 41, totalUsable: 2 ** 42, minFree: 0, f_files: 2 ** 34, vol_list_len: 5 },
  ],
  "hash statistics": [
    hashStatsShape,
    {
      table_size: 1024,
      chain_len: 1,
      chain_cacheCheck: 2,
      chain_busy: 0,
      chain_looks: 3,
      chain_gets: 4,
      chain_reorders: 5,
    },
  ],
  "header statistics": [headerStatsShape, { free: 2000, used: 1, attached: 2 }],
  "VLRU statistics": [vlruStatsShape, { idx: 1, lengths: [1, 2, 0, 0, 0], volumes: [536870912, 4294967295] }],
  "volume group": [volumeGroupShape, { parent: 5, members: [5, 6, 7] }],
  "volume list": [volumeRowsShape, [sampleRow(5), sampleRow(6)]],
  "server status": [
    serverStatusShape,
    {
      pid: 1,
      version: "0.1.0",
      startTime: 1_795_250_153,
      partitions: [{ name: "/vicepa", path: "/srv/é/vicepa", volumes: 3 }],
      options: [{ name: "vlruthresh", value: "120" }],
    },
  ],
  "salvage status": [salvageStatusShape, { known: true, state: 1, prio: 7, sq_len: 2, pq_len: 1 }],
}

for (const [name, [shape, sample]] of Object.entries(samples)) {
  test(`payload: a ${name} arrives as it was sent`, (t) => {
    t.deepEqual(shape.unpack(unpackPlain(packPlain(shape.pack(sample))), name), sample)
  })

  test(`payload: a ${name} of another shape is refused by its name`, (t) => {
    for (const wrong of [null, 5, "text", [], [[]], { a: 1 }]) {
      const isEmptyList = Array.isArray(wrong) && wrong.length === 0 && Array.isArray(sample)
      if (!isEmptyList)
        t.throws(() => shape.unpack(wrong, name), { instanceOf: FormatError, message: new RegExp(`^${name}`) })
    }
  })
}

test("payload: the volume information's bytes are those on disk", (t) => {
  const plain = volumeInfoShape.pack(newVolumeInfo({ id: 0x2000000e, name: "s1" }))
  t.true(plain instanceof Uint8Array && plain.length === 552)
  t.is(
    Buffer.from(plain as Uint8Array)
      .subarray(0, 15)
      .toString("hex"),
    "c5b2a178010000000e000020733100",
  )
})
