/** Changes of what VolumeInfo says. OpenAFS volser/volprocs.c (VolSetInfo, VolSetDate). */
import { AfsError } from "../../common/error.ts"
import type { VolumeInfo } from "../../common/volume/volume-info.ts"
import { withVolume } from "../../fssync/volume-operation.ts"
import type { VolserverContext } from "../context.ts"
import type { VolumePlace } from "../volume-list.ts"
import { requireQuota } from "./create.ts"

/** Fields that are left out stay as they are. Dates are seconds since 1970. */
export interface FieldChanges {
  /** KiB, 0 = no limit. */
  readonly maxquota?: number | undefined
  readonly minquota?: number | undefined
  readonly maxfiles?: number | undefined
  readonly accountNumber?: number | undefined
  /** User id. */
  readonly owner?: number | undefined
  readonly creationDate?: number | undefined
  readonly updateDate?: number | undefined
  readonly expirationDate?: number | undefined
  readonly offlineMessage?: string | undefined
  /** Whether the volume may come online at all: 0 in what a salvager had to invent. */
  readonly blessed?: boolean | undefined
  /** Zeroes the number of accesses of the day. */
  readonly clearUse?: boolean | undefined
  /** Zeroes the counter of updates. */
  readonly clearUpdateCounter?: boolean | undefined
}

const numbers = [
  "minquota",
  "maxfiles",
  "accountNumber",
  "owner",
  "creationDate",
  "updateDate",
  "expirationDate",
] as const satisfies readonly (keyof FieldChanges & keyof VolumeInfo)[]
const offlineMessageMax = 127

/** Writes the changes; returns VolumeInfo as it is then. @throws AfsError EINVAL for a value that its field cannot hold */
export async function setFields(
  context: VolserverContext,
  { partition, id }: VolumePlace,
  changes: FieldChanges,
): Promise<VolumeInfo> {
  requireFitting(changes)
  return withVolume(
    context.claimant,
    partition,
    id,
    "VOLUPD",
    (operation) => {
      Object.assign(operation.volume.info, changedFields(changes))
      operation.writeInfo()
      return { ...operation.volume.info, inUse: 0 }
    },
    context.patience,
  )
}

function requireFitting(changes: FieldChanges): void {
  requireQuota(changes.maxquota)
  for (const name of numbers) {
    const value = changes[name]
    const most = name === "minquota" || name === "maxfiles" ? 2 ** 31 - 1 : 2 ** 32 - 1
    if (value === undefined || (Number.isInteger(value) && value >= 0 && value <= most)) continue
    throw new AfsError("EINVAL", "setFields", {}, { detail: `${name} ${value} is not in 0..${most}` })
  }
  const { offlineMessage } = changes
  if (offlineMessage === undefined) return
  if (Buffer.byteLength(offlineMessage) <= offlineMessageMax && !offlineMessage.includes("\0")) return
  throw new AfsError("EINVAL", "setFields", {}, { detail: `the message is longer than ${offlineMessageMax} bytes` })
}

function changedFields(changes: FieldChanges): Partial<VolumeInfo> {
  const fields: Partial<VolumeInfo> = {}
  for (const name of ["maxquota", ...numbers] as const) {
    const value = changes[name]
    if (value !== undefined) fields[name] = value
  }
  if (changes.offlineMessage !== undefined) {
    fields.offlineMessage = Buffer.from(changes.offlineMessage, "utf8").toString("latin1")
  }
  if (changes.blessed !== undefined) fields.blessed = changes.blessed ? 1 : 0
  if (changes.clearUse === true) fields.dayUse = 0
  if (changes.clearUpdateCounter === true) fields.volUpdateCounter = 0
  return fields
}
