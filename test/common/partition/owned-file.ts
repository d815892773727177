import { readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { type DiskFile, isDiskError } from "../../../common/disk/disk.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { createOwnedFile } from "../../../common/partition/owned-file.ts"
import { decodeOwner } from "../../../common/partition/owner-data.ts"
import { needsRoot } from "../../support/requirements.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const self = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }
const owner = { parameter: 4711, number: 3 }

test("owned file: in a development partition it is its owner's and nobody else's", (t) => {
  const path = join(temporaryDirectory(t), "f")
  using file = createOwnedFile(nodeDisk, { ownerEncoding: "development", owner: self }, path, owner)
  t.like(file.stat(), { uid: self.uid, mode: 0o600, size: 0 })
})

needsRoot("owned file: in a partition of OpenAFS's kind, owner and mode say what it is", (t) => {
  const path = join(temporaryDirectory(t), "f")
  using file = createOwnedFile(nodeDisk, { ownerEncoding: "openafs", owner: self }, path, owner)
  t.deepEqual(decodeOwner(file.stat()), owner)
})

test("owned file: one that is there is refused and stays; one that cannot be given away does not stay", (t) => {
  const folder = temporaryDirectory(t)
  const place = { ownerEncoding: "openafs", owner: self } as const
  writeFileSync(join(folder, "taken"), "x")
  const refused = t.throws(() => createOwnedFile(nodeDisk, place, join(folder, "taken"), owner))
  t.true(isDiskError(refused, "EEXIST"))
  const open = (...call: Parameters<typeof nodeDisk.open>): DiskFile => {
    const file = nodeDisk.open(...call)
    file.setOwner = () => {
      throw new Error("not permitted")
    }
    return file
  }
  t.throws(() => createOwnedFile({ ...nodeDisk, open }, place, join(folder, "f"), owner), { message: "not permitted" })
  t.deepEqual(readdirSync(folder), ["taken"])
})
