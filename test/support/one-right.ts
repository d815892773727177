/**
 * What a single right in a directory's access list allows to a caller without a name: every operation, on objects of his own
 * and of another. The outcomes are those of OpenAFS's dafileserver, which is asked too.
 */
import { fetchAccessList, releaseLock, setLock, storeAccessList } from "../../client/administration.ts"
import { fetchWhole, storeContents } from "../../client/contents.ts"
import { rootOf } from "../../client/fid.ts"
import type { Fileserver } from "../../client/fileserver.ts"
import {
  changeStatus,
  createFile,
  makeDirectory,
  makeLink,
  makeMountPoint,
  makeSymlink,
  removeDirectory,
  removeFile,
} from "../../client/namespace.ts"
import { fetchStatus } from "../../client/tree.ts"
import { isAfsError } from "../../common/error.ts"
import type { AFSFid } from "../../common/protocol/afs-types.ts"
import type { Code } from "../../common/protocol/codes.ts"
import { isRpcError } from "../../common/rpc/rpc-call.ts"
import { parseRights } from "../../common/vnode/access-list.ts"

/** The empty one is none at all. */
export const singleRights = ["", "r", "l", "i", "d", "w", "k", "a"] as const
export type SingleRight = (typeof singleRights)[number]

export type Outcome = Code | "ok"

interface Row {
  /** Rights that alone allow it. */
  readonly allowedBy: string
  /** What it fails with whatever the right; EACCES if absent. */
  readonly refusal?: Outcome
  /** Exceptions. */
  readonly with?: Partial<Record<SingleRight, Outcome>>
}

/** Rows by operation. "own" and "other" are files whose owner is, and is not, the caller. */
export const oneRightTable = {
  "directory status": { allowedBy: singleRights.join(""), with: { "": "ok" } },
  "directory access list": { allowedBy: "l" },
  "directory data": { allowedBy: "l" },
  "symlink status": { allowedBy: "l" },
  "symlink access list": { allowedBy: "l" },
  "symlink data": { allowedBy: "l" },
  "own status": { allowedBy: "r" },
  "other status": { allowedBy: "r" },
  "own access list": { allowedBy: "r" },
  "other access list": { allowedBy: "r" },
  "own data": { allowedBy: "r" },
  "other data": { allowedBy: "r" },
  "own data, mode 0": { allowedBy: "r" },
  "other data, mode 0": { allowedBy: "" },
  "own store": { allowedBy: "wi" },
  "other store": { allowedBy: "w" },
  "own store, mode 0444": { allowedBy: "i" },
  "other store, mode 0444": { allowedBy: "" },
  "directory store": { allowedBy: "", refusal: "EISDIR" },
  "symlink store": { allowedBy: "", refusal: "EISDIR" },
  "own time": { allowedBy: "wi" },
  "other time": { allowedBy: "w" },
  "own mode": { allowedBy: "wi" },
  "other mode": { allowedBy: "w" },
  "own setuid": { allowedBy: "i" },
  "other setuid": { allowedBy: "" },
  "own owner": { allowedBy: "", refusal: "EPERM" },
  "other owner": { allowedBy: "", refusal: "EPERM" },
  "symlink time": { allowedBy: "w" },
  "symlink mode": { allowedBy: "", with: { w: "EINVAL" } },
  "directory time": { allowedBy: "id" },
  create: { allowedBy: "i" },
  mkdir: { allowedBy: "i" },
  link: { allowedBy: "i" },
  symlink: { allowedBy: "i" },
  "mount point": { allowedBy: "" },
  remove: { allowedBy: "d" },
  rmdir: { allowedBy: "d" },
  "own read lock": { allowedBy: "wki" },
  "other read lock": { allowedBy: "wk" },
  "own write lock": { allowedBy: "wi" },
  "other write lock": { allowedBy: "w" },
  "store access list": { allowedBy: "a" },
} as const satisfies Record<string, Row>

export type OneRightOperation = keyof typeof oneRightTable

/** What an operation ends with under a single right. */
export function expectedOutcome(operation: OneRightOperation, right: SingleRight): Outcome {
  const row: Row = oneRightTable[operation]
  return row.with?.[right] ?? (right !== "" && row.allowedBy.includes(right) ? "ok" : (row.refusal ?? "EACCES"))
}

/** Somebody else. */
export const otherOwner = 7
const whoCreates = 0o644

/** Objects of every kind in one directory. */
interface Objects {
  readonly directory: AFSFid
  readonly symlink: AFSFid
  file(owner: "own" | "other", mode?: number): AFSFid
}

const nameOf = (text: string): Buffer => Buffer.from(text)

async function furnish(server: Fileserver, directory: AFSFid): Promise<Objects> {
  const files = new Map<string, AFSFid>()
  for (const owner of ["own", "other"] as const)
    for (const mode of [whoCreates, 0o444, 0]) {
      const name = `${owner} ${mode}`
      const fields = { mode, ...(owner === "other" ? { owner: otherOwner } : {}) }
      const { fid } = await createFile(server, { directory, name: nameOf(name) }, fields)
      files.set(name, fid)
    }
  const { fid: symlink } = await makeSymlink(server, { directory, name: nameOf("symlink") }, nameOf("own 420"))
  await createFile(server, { directory, name: nameOf("to go") }, {})
  await makeDirectory(server, { directory, name: nameOf("to go too") }, {})
  return {
    directory,
    symlink,
    file(owner, mode = whoCreates) {
      const found = files.get(`${owner} ${mode}`)
      if (found === undefined) throw new Error(`no file of mode ${mode}`)
      return found
    },
  }
}

type Attempt = (server: Fileserver, objects: Objects) => Promise<unknown>

const someBytes = Buffer.from("some bytes")
const attemptStore = (server: Fileserver, fid: AFSFid): Promise<unknown> =>
  storeContents(server, fid, [someBytes], someBytes.length)
const fetchSome = (server: Fileserver, fid: AFSFid): Promise<unknown> => fetchWhole(server, fid, 1 << 16)
const setMode = (server: Fileserver, fid: AFSFid, mode: number): Promise<unknown> => changeStatus(server, fid, { mode })
const setTime = (server: Fileserver, fid: AFSFid): Promise<unknown> => changeStatus(server, fid, { modifyTime: 1e9 })
const place = ({ directory }: Objects, name: string) => ({ directory, name: nameOf(name) })

async function lockAndRelease(server: Fileserver, fid: AFSFid, kind: "read" | "write"): Promise<void> {
  await setLock(server, fid, kind)
  await releaseLock(server, fid)
}

/** In an order in which none spoils what a later one needs. */
const attempts: Readonly<Record<OneRightOperation, Attempt>> = {
  "directory status": (server, { directory }) => fetchStatus(server, directory),
  "directory access list": (server, { directory }) => fetchAccessList(server, directory),
  "directory data": (server, { directory }) => fetchSome(server, directory),
  "symlink status": (server, { symlink }) => fetchStatus(server, symlink),
  "symlink access list": (server, { symlink }) => fetchAccessList(server, symlink),
  "symlink data": (server, { symlink }) => fetchSome(server, symlink),
  "own status": (server, { file }) => fetchStatus(server, file("own")),
  "other status": (server, { file }) => fetchStatus(server, file("other")),
  "own access list": (server, { file }) => fetchAccessList(server, file("own")),
  "other access list": (server, { file }) => fetchAccessList(server, file("other")),
  "own data": (server, { file }) => fetchSome(server, file("own")),
  "other data": (server, { file }) => fetchSome(server, file("other")),
  "own data, mode 0": (server, { file }) => fetchSome(server, file("own", 0)),
  "other data, mode 0": (server, { file }) => fetchSome(server, file("other", 0)),
  "own store": (server, { file }) => attemptStore(server, file("own")),
  "other store": (server, { file }) => attemptStore(server, file("other")),
  "own store, mode 0444": (server, { file }) => attemptStore(server, file("own", 0o444)),
  "other store, mode 0444": (server, { file }) => attemptStore(server, file("other", 0o444)),
  "directory store": (server, { directory }) => attemptStore(server, directory),
  "symlink store": (server, { symlink }) => attemptStore(server, symlink),
  "own time": (server, { file }) => setTime(server, file("own")),
  "other time": (server, { file }) => setTime(server, file("other")),
  "own mode": (server, { file }) => setMode(server, file("own"), 0o640),
  "other mode": (server, { file }) => setMode(server, file("other"), 0o640),
  "own setuid": (server, { file }) => setMode(server, file("own"), 0o4755),
  "other setuid": (server, { file }) => setMode(server, file("other"), 0o4755),
  "own owner": (server, { file }) => changeStatus(server, file("own"), { owner: 99 }),
  "other owner": (server, { file }) => changeStatus(server, file("other"), { owner: 99 }),
  "symlink time": (server, { symlink }) => setTime(server, symlink),
  "symlink mode": (server, { symlink }) => setMode(server, symlink, 0o777),
  "directory time": (server, { directory }) => setTime(server, directory),
  create: (server, objects) => createFile(server, place(objects, "new file"), {}),
  mkdir: (server, objects) => makeDirectory(server, place(objects, "new directory"), {}),
  link: (server, objects) => makeLink(server, place(objects, "new link"), objects.file("own")),
  symlink: (server, objects) => makeSymlink(server, place(objects, "new symlink"), nameOf("anywhere")),
  "mount point": (server, objects) => makeMountPoint(server, place(objects, "new mount"), "root.cell", false),
  remove: (server, objects) => removeFile(server, place(objects, "to go")),
  rmdir: (server, objects) => removeDirectory(server, place(objects, "to go too")),
  "own read lock": (server, { file }) => lockAndRelease(server, file("own"), "read"),
  "other read lock": (server, { file }) => lockAndRelease(server, file("other"), "read"),
  "own write lock": (server, { file }) => lockAndRelease(server, file("own"), "write"),
  "other write lock": (server, { file }) => lockAndRelease(server, file("other"), "write"),
  "store access list": (server, { directory }) => storeAccessList(server, directory, { positive: [], negative: [] }),
}

async function outcomeOf(attempt: Promise<unknown>): Promise<Outcome | number> {
  try {
    await attempt
    return "ok"
  } catch (error) {
    if (isAfsError(error)) return error.code
    if (isRpcError(error)) return error.code
    throw error
  }
}

/** What every operation ended with, by right and operation. */
export type Outcomes = Record<string, Record<string, Outcome | number>>

/** Tries everything in a volume whose root is open to everybody. */
export async function tryEveryRight(server: Fileserver, volume: number): Promise<Outcomes> {
  const outcomes: Outcomes = {}
  for (const right of singleRights) {
    const name = nameOf(`right ${right === "" ? "none" : right}`)
    const { fid } = await makeDirectory(server, { directory: rootOf(volume), name }, {})
    const objects = await furnish(server, fid)
    const rights = parseRights(right)
    const positive = rights === 0 ? [] : [{ name: "system:anyuser", rights }]
    await storeAccessList(server, fid, { positive, negative: [] })
    const row: Record<string, Outcome | number> = {}
    for (const [operation, attempt] of Object.entries(attempts)) {
      row[operation] = await outcomeOf(attempt(server, objects))
      // Servers answer late whoever gets the same refusal again and again.
      await server.rxafs.GetTime()
    }
    outcomes[right] = row
  }
  return outcomes
}

/** What everything should end with. */
export function expectedOutcomes(): Outcomes {
  return Object.fromEntries(
    singleRights.map((right) => [
      right,
      Object.fromEntries(
        Object.keys(oneRightTable).map((operation) => [
          operation,
          expectedOutcome(operation as OneRightOperation, right), // a key of the table
        ]),
      ),
    ]),
  )
}
