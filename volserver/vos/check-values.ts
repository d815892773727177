/** Option values that came over a socket, checked against the tables as the command line checks what is typed. */
import { AfsError } from "../../common/error.ts"
import type { Option } from "./option.ts"
import type { Values } from "./run.ts"
import { type AnyVosCommand, commonOptions } from "./vos-command.ts"

function fits(option: Option<unknown>, value: unknown): boolean {
  if (option.array === true) return Array.isArray(value) && value.every((one) => typeof one === option.type)
  if (typeof value !== option.type) return false
  return option.choices === undefined || (typeof value === "string" && option.choices.includes(value))
}

/** The values, those left out with their defaults. @throws AfsError USAGE for unknown names and wrong types */
export function checkValues(command: AnyVosCommand, values: unknown): Values {
  const table: Readonly<Record<string, Option<unknown>>> = { ...command.options, ...commonOptions }
  const checked: Record<string, unknown> = {}
  for (const [name, option] of Object.entries(table)) checked[name] = option.default
  const given = typeof values === "object" && values !== null ? Object.entries(values) : []
  for (const [name, value] of given) {
    const option = Object.hasOwn(table, name) ? table[name] : undefined
    if (option === undefined || !fits(option, value)) {
      throw new AfsError(
        "USAGE",
        "vos",
        {},
        { detail: `option ${JSON.stringify(name)} is unknown or has a wrong value` },
      )
    }
    checked[name] = value
  }
  for (const [name, option] of Object.entries(table)) {
    if (option.required === true && checked[name] === undefined) {
      throw new AfsError("USAGE", "vos", {}, { detail: `${name}: ${option.describe}` })
    }
  }
  return {
    offline: false,
    json: false,
    volserver: false,
    quiet: false,
    partition: undefined,
    openafs: undefined,
    "state-dir": undefined,
    timeout: undefined,
    ...checked,
  }
}

/** The values of a command's own tables among all that a parser gives. */
export function ownValues(command: AnyVosCommand, values: Values): Record<string, unknown> {
  const names = Object.keys({ ...command.options, ...commonOptions })
  return Object.fromEntries(names.map((name) => [name, values[name]]).filter(([, value]) => value !== undefined))
}
