/** When V8 optimizes the code of a salvage. */
import { setFlagsFromString } from "node:v8"

/**
 * By V8's major version: bytes of bytecode that a function runs before V8 looks whether to optimize it. V8 11, that of Node.js 20, has
 * 67,584 by itself. Later ones count otherwise, and to name a flag that they do not know would print an error.
 */
const lateFlags: Readonly<Record<string, string>> = { 11: "--interrupt-budget=600000" }

/**
 * Has V8 optimize later than it does by itself, from now on: for a salvage of many groups, most of them small. That is over before
 * optimized code has paid, and V8's own threads take the processors that other processes of the salvage could have. The loops over one
 * great volume are what optimized code is for: without it they take 0.1 s more, once in each process.
 */
export function optimizeLate(version: string = process.versions.v8, setFlags = setFlagsFromString): void {
  const flags = lateFlags[version.slice(0, version.indexOf("."))]
  if (flags !== undefined) setFlags(flags)
}
