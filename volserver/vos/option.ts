/** Options of subcommands as plain tables: cli.ts turns them into yargs options, subcommands get their values typed. */

/** One option. `T` is the type of its value. */
export interface Option<T> {
  readonly type: "string" | "number" | "boolean"
  readonly describe: string
  readonly alias?: readonly string[]
  readonly array?: boolean
  readonly required?: boolean
  readonly choices?: readonly string[]
  readonly default?: T & (string | number | boolean)
  /** Never set: carries T for the compiler. */
  readonly value?: T
}

export type OptionTable = Readonly<Record<string, Option<unknown>>>
/** Values of a table's options. */
export type ValuesOf<Table> = { readonly [K in keyof Table]: Table[K] extends Option<infer T> ? T : never }

interface Extras {
  readonly alias?: readonly string[]
}

export const text = (describe: string, extras: Extras = {}): Option<string | undefined> => ({
  type: "string",
  describe,
  ...extras,
})
export const requiredText = (describe: string, extras: Extras = {}): Option<string> => ({
  type: "string",
  describe,
  required: true,
  ...extras,
})
export const texts = (describe: string): Option<readonly string[] | undefined> => ({
  type: "string",
  describe,
  array: true,
})
export const number = (describe: string): Option<number | undefined> => ({ type: "number", describe })
export const flag = (describe: string): Option<boolean> => ({ type: "boolean", describe, default: false })
/** A flag that may be left out, or denied by `--no-…`. */
export const maybe = (describe: string): Option<boolean | undefined> => ({ type: "boolean", describe })
export const choice = <const C extends readonly string[]>(
  describe: string,
  choices: C,
): Option<C[number] | undefined> => ({ type: "string", describe, choices })
