/** When V8 optimizes the code of a salvage. */
import { setFlagsFromString } from "node:v8"

/** Bytes of bytecode that a function runs before V8 looks whether to optimize it; V8 11 has 135,168. */
const interruptBudget = 600_000

/**
 * Has V8 optimize later than it does by itself, from now on: for a salvage of many groups, most of them small. That is over before
 * optimized code has paid, and V8's own threads take the processors that other processes of the salvage could have. The loops over one
 * great volume are what optimized code is for: without it they take 0.1 s more, once in each process.
 */
export function optimizeLate(): void {
  setFlagsFromString(`--interrupt-budget=${interruptBudget}`)
}
