import test from "ava"
import { dataInode, specialInode } from "../../../common/partition/inode-number.ts"
import { InodeStore } from "../../../common/partition/inode-store.ts"
import { VolumeFiles } from "../../../common/volume/volume-files.ts"
import { testCaches } from "../../support/attached.ts"
import { makeSampleVolume, sampleId } from "../../support/sample-volume.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"
import { newPartition } from "../../support/volume-builder.ts"

test("volume files: each is opened once, found by its inode, and closed with the others", (t) => {
  const partition = newPartition(`${temporaryDirectory(t)}/vicepa`)
  makeSampleVolume(partition)
  const caches = testCaches()
  const files = new VolumeFiles(new InodeStore(partition, sampleId), sampleId, "write", caches.volumeFiles)
  t.is(caches.volumeFiles.size, 0)
  t.is(files.index("small"), files.index("small"))
  t.is(files.find(specialInode(sampleId, "smallIndex")), files.index("small"))
  t.is(files.find(specialInode(sampleId, "largeIndex")), files.index("large"))
  t.is(files.find(specialInode(sampleId, "volumeInfo")), files.info)
  t.is(files.find(specialInode(sampleId, "linkTable")), files.links.file)
  t.notThrows(() => files.links.checkStamp())
  t.is(files.find(specialInode(sampleId + 1, "smallIndex")), undefined, "another volume's")
  t.is(files.find(dataInode(2, 2, 0)), undefined, "a data file")
  t.is(caches.volumeFiles.size, 4)
  files.close()
  t.is(caches.volumeFiles.size, 0)
})
