/** Copies of the build folder with packed programs, to run and to spoil, and what ran in them. */
import { execFileSync, spawnSync } from "node:child_process"
import { cpSync, mkdirSync, readdirSync, realpathSync, symlinkSync } from "node:fs"
import { basename, join } from "node:path"
import { pathToFileURL } from "node:url"
import type { ReportedScript } from "../packing/script-report.program.ts"
import { buildDirectory, builtProgram, projectFile } from "./project.ts"

/** A run of a program. */
export interface PackedRun {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  /** The packed code that ran; undefined if the modules did. */
  readonly code: ReportedScript | undefined
}

export interface RunOptions {
  /** Switches of Node.js. */
  readonly switches?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly user?: number
}

const report = pathToFileURL(builtProgram("test/packing/script-report.program.ts")).href

/** What a packed program needs of the project; a build folder other than of this run may lie in it. */
function copyModules(folder: string): string {
  const build = join(folder, "build")
  mkdirSync(build, { recursive: true })
  for (const name of ["package.json", "node_modules"]) symlinkSync(realpathSync(projectFile(name)), join(folder, name))
  for (const name of readdirSync(buildDirectory).filter((name) => !["bench", "packed", "test"].includes(name)))
    cpSync(join(buildDirectory, name), join(build, name), { recursive: true })
  return build
}

/** Copies the modules of this build to a folder, and packs them there. @returns the new build folder, and what was said */
export function packCopy(folder: string, environment: RunOptions["environment"] = {}): { build: string; said: string } {
  const build = copyModules(folder)
  const env = { ...process.env, ...environment }
  const { status, stderr } = spawnSync(process.execPath, [join(build, "packing", "pack.js")], { encoding: "utf8", env })
  if (status !== 0) throw new Error(stderr)
  return { build, said: stderr }
}

/** Copies a packed build, with its times. @returns the new build folder */
export function copyOf(build: string, folder: string): string {
  execFileSync("cp", ["-a", `${join(build, "..")}/.`, folder])
  return join(folder, basename(build))
}

/** Runs a program of a build folder (`cli/dafs.js`) and tells what code it ran. */
export function runReported(
  build: string,
  program: string,
  words: readonly string[],
  options: RunOptions = {},
): PackedRun {
  const { switches = [], environment = {}, user } = options
  const all = [...switches, "--import", report, join(build, program), ...words]
  const { status, stdout, stderr } = spawnSync(process.execPath, all, {
    encoding: "utf8",
    cwd: "/",
    env: { ...process.env, ...environment },
    ...(user !== undefined && { uid: user, gid: user }),
  })
  const lines = stderr.trimEnd().split("\n")
  const scripts: readonly ReportedScript[] = JSON.parse(lines.at(-1) ?? "")
  const code = scripts.find(({ file }) => file.startsWith(join(realpathSync(build), "packed")))
  return { status, stdout, stderr: lines.slice(0, -1).join("\n"), code }
}
