/** `dafs vos setfields`: quota and other fields of a volume. */
import { AfsError } from "../../common/error.ts"
import { type FieldChanges, setFields } from "../operations/set-fields.ts"
import { shownName } from "../volume-name.ts"
import { parseDate } from "./date.ts"
import { flag, maybe, number, text } from "./option.ts"
import { placeOf, volumeOption } from "./place.ts"
import { vosCommand } from "./vos-command.ts"

const optionalDate = (words: string | undefined): number | undefined =>
  words === undefined ? undefined : parseDate(words)

function requireSome(changes: FieldChanges): FieldChanges {
  if (Object.values(changes).some((value) => value !== undefined && value !== false)) return changes
  throw new AfsError("USAGE", "setfields", {}, { detail: "which field?" })
}

export const command = vosCommand({
  usage: "setfields [volume]",
  describe: "Change the quota and other fields of a volume",
  options: {
    ...volumeOption,
    maxquota: number("quota in KiB, 0 = no limit"),
    minquota: number("KiB; kept, not used"),
    owner: number("user id of the volume's owner"),
    account: number("account number; kept, not used"),
    clearuse: flag("zero the number of accesses of the day"),
    clearVolUpCounter: flag("zero the counter of updates"),
    creation: text("creation date"),
    lastupdate: text("date of the last update"),
    expiration: text("expiration date; kept, not used"),
    message: text("message of an offline volume"),
    blessed: maybe("whether the volume may come online at all"),
  },
  examples: [["vos setfields home.ann --maxquota 200000 --partition /vicepa", "200 MB"]],
  run: async (context, values) => {
    const changes = requireSome({
      maxquota: values.maxquota,
      minquota: values.minquota,
      owner: values.owner,
      accountNumber: values.account,
      clearUse: values.clearuse,
      clearUpdateCounter: values.clearVolUpCounter,
      creationDate: optionalDate(values.creation),
      updateDate: optionalDate(values.lastupdate),
      expirationDate: optionalDate(values.expiration),
      offlineMessage: values.message,
      blessed: values.blessed,
    })
    const { id, name, maxquota } = await setFields(context, placeOf(context, values), changes)
    return { id, name: shownName(name), maxquota }
  },
  print: ({ id, name, maxquota }) => `Volume ${id} (${name}) changed, quota ${maxquota} K\n`,
})
