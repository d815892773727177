/**
 * The thread of a file maker: makes the files of one batch after the other and waits in between. It takes no lock and opens
 * nothing but the files that it makes: closing a lock file here would drop the locks of the process.
 */
import { workerData } from "node:worker_threads"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { inodeParts } from "../common/partition/inode-number.ts"
import { encodeInode, folderInGroup } from "../common/partition/namei-path.ts"
import { createOwnedFile } from "../common/partition/owned-file.ts"
import { type CreateFile, FileBatch, makeFiles } from "./file-batch.ts"
import { type MakerStart, MakerState } from "./maker-state.ts"

const { root, place, control, batches } = workerData as MakerStart // as file-maker.ts sends it
const state = new MakerState(control)
const slots = batches.map((memory) => new FileBatch(memory))

/** The folders are there (FileMaker.post). */
const create: CreateFile = (inode, dataVersion) => {
  const path = `${root}/${folderInGroup(inode)}/${encodeInode(inode)}`
  return createOwnedFile(nodeDisk, place, path, { parameter: dataVersion, number: inodeParts(inode).tag })
}

function makeBatch(slot: number, batch: FileBatch): void {
  try {
    makeFiles(create, batch, state.count(slot), (index) => state.setMade(slot, index + 1))
    state.set(slot, "done")
  } catch (error) {
    state.setFailure(error)
    state.set(slot, "failed")
  }
}

state.setReady()
for (let turn = 0; ; turn++) {
  const slot = turn % slots.length
  const batch = slots[slot]
  if (batch === undefined || state.waitForWork(slot) === "ended") break
  makeBatch(slot, batch)
}
