/**
 * Tests that need more than Node: declared here, they run where the need is met and are otherwise skipped by name, with
 * the reason in the title, so that a reader of the summary sees what was not proved.
 */
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import test, { type ImplementationFn } from "ava"

type Body = ImplementationFn<[]>

/** Something a test may need, in the words of its skip reason ("root", "OpenAFS"). */
interface Need {
  readonly name: string
  readonly met: boolean
}

/** Declares tests that share needs. */
export interface RequiringTest {
  /** Declares a test that may run beside the others of its file. */
  (title: string, body: Body): void
  /** Declares a test that runs alone in its file, in order. */
  readonly serial: (title: string, body: Body) => void
  /** True if the needs are met here, so that these tests run. */
  readonly met: boolean
}

const openafsPrograms = "/usr/lib/openafs"
const searchPath = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/bin", "/usr/sbin", "/bin", "/sbin"]

function isAccessible(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}

const isExecutable = (path: string): boolean => isAccessible(path, constants.X_OK)
const isReadable = (path: string): boolean => isAccessible(path, constants.R_OK)

/** Full path of a program: an absolute path as it is, a bare name by PATH and the system's folders; undefined if absent. */
export function findProgram(name: string): string | undefined {
  if (name.startsWith("/")) return isExecutable(name) ? name : undefined
  return searchPath
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find(isExecutable)
}

const areInstalled = (...names: string[]): boolean => names.every((name) => findProgram(name) !== undefined)

const root: Need = { name: "root", met: process.getuid?.() === 0 }
const openafs: Need = {
  name: "OpenAFS",
  met: areInstalled(
    "vos",
    "pts",
    "afsd.fuse",
    "asetkey",
    ...["dafileserver", "davolserver", "dasalvager", "salvageserver", "vlserver", "ptserver"].map((name) =>
      join(openafsPrograms, name),
    ),
  ),
}
const namespaces: Need = { name: "ip, unshare and nsenter", met: areInstalled("ip", "unshare", "nsenter", "setsid") }
const fuse: Need = { name: "/dev/fuse", met: isReadable("/dev/fuse") }
const python: Need = { name: "python3", met: areInstalled("python3") }
const compiler: Need = { name: "a C compiler", met: areInstalled("cc") }
/** For what takes minutes or gigabytes and is not part of every run. */
const patience: Need = { name: "DAFS_LARGE=1", met: process.env["DAFS_LARGE"] === "1" }
const procLocks: Need = { name: "/proc/locks", met: isReadable("/proc/locks") }

function requiring(...needs: Need[]): RequiringTest {
  const missing = needs.filter((need) => !need.met).map((need) => need.name)
  const met = missing.length === 0
  const reason = ` [skipped: needs ${missing.join(" and ")}]`
  const declare = (title: string, body: Body): void => (met ? test(title, body) : test.skip(title + reason, body))
  const serial = (title: string, body: Body): void =>
    met ? test.serial(title, body) : test.serial.skip(title + reason, body)
  return Object.assign(declare, { serial, met })
}

/** Tests that need the owner and mode bits of real partitions, or namespaces. */
export const needsRoot = requiring(root)
/** Tests that mount something where nobody else sees it. */
export const needsMounts = requiring(root, namespaces)
/** Tests that run programs of OpenAFS without a cell and without root. */
export const needsOpenafs = requiring(openafs)
/** Tests that run programs of OpenAFS on partitions of root's (dasalvager, volinfo). */
export const needsRootAndOpenafs = requiring(root, openafs)
/** Tests that run a whole OpenAFS cell (test/support/cell.ts). */
export const needsCell = requiring(root, openafs, namespaces)
/** Tests that also read through OpenAFS's FUSE client. */
export const needsCellAndFuse = requiring(root, openafs, namespaces, fuse)
/** The same with a capture that a Python program takes apart. */
export const needsCellFuseAndPython = requiring(root, openafs, namespaces, fuse, python)
export const needsPython = requiring(python)
export const needsCompiler = requiring(compiler)
/** Tests that ask the kernel who holds a lock. */
export const needsProcLocks = requiring(procLocks)
/** Tests of a whole cell that take minutes and gigabytes; they run with DAFS_LARGE=1 only. */
export const needsCellAndPatience = requiring(root, openafs, namespaces, patience)
