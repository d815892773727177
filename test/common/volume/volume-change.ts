/** What is synced when: the policies of docs/serving.md. Order and failures: test/crash/attached-volume.ts. */
import test, { type ExecutionContext } from "ava"
import type { Disk, DiskFile } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { openPartition } from "../../../common/partition/partition.ts"
import type { ServingSync } from "../../../common/volume/serving-caches.ts"
import { attachedVolume, by, nameOf, newVnode, TestVolume, testCaches } from "../../support/attached.ts"

/** The machine's disk, which notes the names of files that are synced. */
function notingDisk(synced: string[]): Disk {
  const noting = (file: DiskFile): DiskFile =>
    new Proxy(file, {
      get(target, key) {
        if (key === "sync" || key === "syncLater") synced.push(target.path.slice(target.path.lastIndexOf("/") + 1))
        const value: unknown = Reflect.get(target, key, target)
        return typeof value === "function" ? value.bind(target) : value
      },
    })
  return { ...nodeDisk, open: (...how) => noting(nodeDisk.open(...how)) }
}

/** A volume whose files' syncs are noted. */
async function volumeOn(t: ExecutionContext, sync: ServingSync, synced: string[]): Promise<TestVolume> {
  const made = await attachedVolume(t, { file: "content", other: "other" })
  made.detach()
  return new TestVolume(openPartition(made.partition.path, notingDisk(synced)), made.id, testCaches({ sync }))
}

function change(home: TestVolume, fsync: boolean): void {
  home.volume.createFile(home.root, nameOf("new"), newVnode())
  home.volume.removeFile(home.root, nameOf("other"), by)
  home.store(home.at("file"), { length: 3, fileLength: 3, fsync }, nameOf("new"))
}

const indexes = 2
const linkTable = 1

test("sync never: nothing is synced, not even what a client asks for", async (t) => {
  const synced: string[] = []
  const home = await volumeOn(t, "never", synced)
  change(home, true)
  home.detach()
  await home.caches.closed()
  t.deepEqual(synced, [])
})

test("sync onclose: indexes and link table are synced when the volume goes, and files that a client wanted synced", async (t) => {
  for (const fsync of [false, true]) {
    const synced: string[] = []
    const home = await volumeOn(t, "onclose", synced)
    change(home, fsync)
    t.deepEqual(synced, [], "nobody waits for it")
    home.detach()
    await home.caches.closed()
    t.is(new Set(synced).size, indexes + linkTable + (fsync ? 1 : 0))
  }
})

test("sync onclose: a volume that was only read is closed without a sync", async (t) => {
  const synced: string[] = []
  const home = await volumeOn(t, "onclose", synced)
  t.is(home.text(home.at("file")), "content")
  home.detach()
  await home.caches.closed()
  t.deepEqual(synced, [])
})

test("sync always: data, pages, records and counts are on the platter before a change is over", async (t) => {
  const synced: string[] = []
  const home = await volumeOn(t, "always", synced)
  home.put(home.root, "new", "content")
  const names = new Set(synced)
  t.true(names.size >= 4, [...names].join(" ")) // data, root directory, both indexes
  const before = synced.length
  home.volume.setStatus(home.at("new"), { mode: 0, now: by.now })
  t.true(synced.length > before)
})
