/** The header file `V….vol` of a volume: it appears and is replaced whole, so that no scan of the partition ever meets a short one. */
import { isDiskError } from "../disk/disk.ts"
import { AfsError } from "../error.ts"
import { lockHeaders } from "../lock/header-lock.ts"
import { giveToOwner } from "../partition/owned-file.ts"
import { headerName, headerPath, makeOwnFolder, type Partition } from "../partition/partition.ts"

const headerMode = 0o644

export interface HeaderWriting {
  /** The file may be there already, and is replaced. */
  readonly replace: boolean
  /** The bytes are on the platter before the file has its name. */
  readonly sync: boolean
}

/**
 * Writes the file under another name and then links or renames it. Writers hold the header lock for reading.
 * @throws AfsError VVOLEXISTS if it is there and is not to be replaced
 */
export function writeHeaderFile(
  partition: Partition,
  volume: number,
  bytes: Uint8Array,
  { replace, sync }: HeaderWriting,
): void {
  const target = headerPath(partition, volume)
  const draft = `${makeOwnFolder(partition)}/${headerName(volume)}.${process.pid}`
  removeFile(partition, draft) // of a process that is gone and had our number
  using _lock = lockHeaders(partition, "read", { who: `writing ${headerName(volume)}` })
  try {
    writeDraft(partition, draft, bytes, sync)
    if (replace) partition.disk.rename(draft, target)
    else linkExclusively(partition, draft, target, volume)
  } finally {
    dropDraft(partition, draft)
  }
}

/** Removes the header file with this name, if there is one. */
export function removeHeaderFile(partition: Partition, name: string): void {
  removeFile(partition, `${partition.path}/${name}`)
}

/** A draft that stays is in nobody's way, and the header may be there already: then nothing must look as if it had failed. */
function dropDraft(partition: Partition, draft: string): void {
  try {
    removeFile(partition, draft)
  } catch (error) {
    if (!isDiskError(error)) throw error
  }
}

function writeDraft(partition: Partition, draft: string, bytes: Uint8Array, sync: boolean): void {
  using file = partition.disk.open(draft, "create", headerMode)
  giveToOwner(partition, file)
  file.setMode(headerMode) // whatever the umask is
  file.write(bytes, 0)
  if (sync) file.sync()
}

/** Gives the draft its final name unless that exists. */
function linkExclusively({ disk, name }: Partition, draft: string, target: string, volume: number): void {
  try {
    disk.link(draft, target)
  } catch (error) {
    if (isDiskError(error, "EEXIST")) throw new AfsError("VVOLEXISTS", "writeHeader", { volume, partition: name })
    throw error
  }
}

function removeFile({ disk }: Partition, path: string): void {
  try {
    disk.unlink(path)
  } catch (error) {
    if (!isDiskError(error, "ENOENT")) throw error
  }
}
