/**
 * What an OpenAFS fileserver saved of its clients at its end (fsstate.dat in the state directory): callback promises that it
 * takes up again at its next start. Who changes volumes meanwhile without it makes them wrong. OpenAFS viced/serialize_state.c.
 */
import { type Disk, isDiskError } from "../disk/disk.ts"

/** Removes what was saved. @returns its path if there was anything @throws DiskError if it cannot be removed */
export function removeSavedClients(stateDirectory: string, disk: Disk): string | undefined {
  const path = `${stateDirectory}/fsstate.dat`
  if (disk.stat(path) === undefined) return undefined
  try {
    disk.unlink(path)
    return path
  } catch (error) {
    if (isDiskError(error, "ENOENT", "ENOTDIR")) return undefined
    throw error
  }
}
