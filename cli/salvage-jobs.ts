/** `dafs salvage status` and `history`: what the salvage server does and did. */
import { type Column, printJson, printTable } from "../common/cli/output.ts"
import { nodeDisk } from "../common/disk/node-disk.ts"
import { AfsError } from "../common/error.ts"
import { connectJson } from "../fssync/json-channel.ts"
import { type JobView, salvageBoardName, salvageHistoryName, secondsLeft } from "../salvager/job-view.ts"
import { readHistory } from "../salvager/salvage-history.ts"

/** Asks for the jobs; calls `show` once, or with `watch` at every change until `show` gives true. */
async function readJobs(state: string, watch: boolean, show: (jobs: readonly JobView[]) => boolean): Promise<void> {
  const channel = await connectJson(`${state}/${salvageBoardName}`)
  await new Promise<void>((resolve, reject) => {
    const hungUp = new AfsError("UNREACHABLE", "salvage", {}, { detail: "the salvage server hung up" })
    channel.listen({
      message({ jobs }) {
        // the server is our own: no other can listen on its socket
        const isDone = show(Array.isArray(jobs) ? (jobs as JobView[]) : [])
        if (watch && !isDone) return
        resolve()
        channel.close()
      },
      closed: () => reject(hungUp),
    })
    channel.send({ type: watch ? "watch" : "list" })
  })
}

const time = (at: number | undefined): string =>
  at === undefined ? "-" : new Date(at).toISOString().slice(0, 19).replace("T", " ")

function progressText({ state, progress, failure, outcome }: JobView): string {
  if (failure !== undefined) return state === "queued" ? `to be tried again: ${failure}` : failure
  if (progress === undefined) return outcome === undefined ? "" : outcome.status
  const { phase, done, total } = progress
  const left = secondsLeft(progress, Date.now())
  const amount = total === 0 ? "" : ` ${done} of ${total}`
  return `${phase}${amount}${left === undefined ? "" : `, ${left} s left`}`
}

const columns: readonly Column<JobView>[] = [
  { title: "PARTITION", value: (job) => job.partition },
  { title: "VOLUME", value: (job) => String(job.volume), align: "right" },
  { title: "STATE", value: (job) => (job.group === undefined ? job.state : `with ${job.group}`) },
  { title: "PRIORITY", value: (job) => String(job.priority), align: "right" },
  { title: "REASON", value: (job) => job.reason },
  { title: "REQUESTED", value: (job) => time(job.requestedAt) },
  { title: "ENDED", value: (job) => time(job.endedAt) },
  { title: "", value: progressText },
]

const isOver = ({ state }: JobView): boolean => state !== "queued" && state !== "salvaging"
/** Those that run first, then by priority. */
const order = (a: JobView, b: JobView): number =>
  Number(b.state === "salvaging") - Number(a.state === "salvaging") || b.priority - a.priority

/** @throws AfsError UNREACHABLE if no salvage server answers */
export async function showStatus(state: string, { json, watch }: { json: boolean; watch: boolean }): Promise<void> {
  await readJobs(state, watch, (jobs) => {
    const sorted = [...jobs].sort(order)
    if (json) printJson({ type: "jobs", jobs: sorted })
    else {
      if (watch && process.stdout.isTTY === true) process.stdout.write("\x1b[H\x1b[J")
      printTable(sorted, columns)
    }
    return jobs.every(isOver)
  })
}

/** The latest salvages that have ended, also those of earlier salvage servers. */
export function showHistory(state: string, { json, count }: { json: boolean; count: number }): void {
  const jobs = readHistory(nodeDisk, `${state}/${salvageHistoryName}`).slice(-count)
  if (json) for (const job of jobs) process.stdout.write(`${JSON.stringify({ type: "job", ...job })}\n`)
  else printTable(jobs, columns)
}
