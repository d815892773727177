import { readFileSync } from "node:fs"

function mebibytes(pid: number, field: string): number {
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
  return Number(kibibytes) / 1024
}

/** Resident memory of a process in MiB. */
export const residentMib = (pid: number): number => mebibytes(pid, "VmRSS")

/** What of it is the process's own: not the pages of programs and libraries, which all processes of a program share. */
export const anonymousMib = (pid: number): number => mebibytes(pid, "RssAnon")
