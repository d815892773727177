/** A read-write volume and its backup in a cell, for questions to a fileserver that has only just started. */
import type { Cell } from "./cell.ts"

/** Ids of the two. */
export interface VolumeWithBackup {
  readonly rw: number
  readonly bk: number
}

/** Makes the two, and starts OpenAFS's fileserver again: it knows them and has attached neither. */
export async function createWithBackup(there: Cell, name: string): Promise<VolumeWithBackup> {
  const rw = await there.createVolume(name)
  await there.vos("backup", name, "-noauth")
  await there.stop("fs")
  await there.start("fs")
  return { rw, bk: rw + 2 }
}
