/**
 * Runs where the server's network is: `rx-client.program.js [ADDRESS [PORT]]`. For each line `VOLUME VOLUME ...` it accesses these volumes one after the other and
 * prints the microseconds of each access, or the code it was refused with as a negative number, as one JSON array.
 */
import { createInterface } from "node:readline"
import { RxClient } from "./rx-client.ts"

using client = await RxClient.open(process.argv[2] ?? "10.99.0.1", Number(process.argv[3] ?? 7000))
for await (const line of createInterface({ input: process.stdin })) {
  const spent: number[] = []
  for (const word of line.split(" ").filter((one) => one !== "")) {
    const begin = performance.now()
    const code = await client.fetchStatus(Number(word))
    spent.push(code === 0 ? (performance.now() - begin) * 1000 : -Math.abs(code))
  }
  process.stdout.write(`${JSON.stringify(spent)}\n`)
}
