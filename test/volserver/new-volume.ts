import { readdirSync } from "node:fs"
import test from "ava"
import { openPartition } from "../../common/partition/partition.ts"
import { cloneVolume } from "../../volserver/operations/clone.ts"
import { createVolume } from "../../volserver/operations/create.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"
import { newPartition, standaloneContext, volumeOf } from "../support/volume-builder.ts"

// `vos create --id 0` made a volume 0: no command could name it afterwards, and no OpenAFS server attaches it.
for (const id of [0, -5, 1.5, 2 ** 32, Number.NaN])
  test(`new volume: the id ${id} is refused, and nothing is made`, async (t) => {
    const directory = temporaryDirectory(t)
    newPartition(directory)
    const partition = openPartition(directory)
    const context = standaloneContext([partition])
    const source = { partition, id: await volumeOf(partition, "source", { file: "text" }) }
    const before = readdirSync(directory, { recursive: true }).sort()
    const wrong = { code: "EINVAL", message: /is not in 1\.\.4294967295/ }
    await t.throwsAsync(createVolume(context, { partition, name: "made", id }), wrong)
    await t.throwsAsync(cloneVolume(context, { source, name: "made", type: "RO", id }), wrong)
    t.deepEqual(readdirSync(directory, { recursive: true }).sort(), before)
  })

test("new volume: the highest id of all works", async (t) => {
  const directory = temporaryDirectory(t)
  newPartition(directory)
  const partition = openPartition(directory)
  const made = await createVolume(standaloneContext([partition]), { partition, name: "made", id: 2 ** 32 - 1 })
  t.is(made.id, 2 ** 32 - 1)
})
