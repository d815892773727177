/** A client of dafileserver inside a cell, for a moment: what it gets from the root directory of each volume. */

import { type Cell, cellAddress } from "./cell.ts"
import { builtProgram } from "./project.ts"

/** 0 for a volume that is served, else the code the client got, in the order of `volumes`. */
export async function accessOverRx(cell: Cell, volumes: readonly number[]): Promise<number[]> {
  const args = [builtProgram("bench/rx-client.program.ts"), cellAddress]
  const { status, stdout, stderr } = await cell.try(process.execPath, args, { input: `${volumes.join(" ")}\n` })
  if (status !== 0) throw new Error(`rx-client: status ${status}: ${stderr}`)
  const spent = JSON.parse(stdout) as number[] // its one form of answer
  return spent.map((one) => (one > 0 ? 0 : -one))
}
