/** Scenarios: names, links, renames and removals. */
import { codeOf, storeStatus } from "./rxafs-client.ts"
import { type Act, type AFSFid, fetched, type Scenario, scenarioTools, stored } from "./rxafs-scenarios.ts"

const { bytes, everything, unchanged } = scenarioTools

const makeDirectory = async (act: Act, DirFid: AFSFid, name: string): Promise<AFSFid> =>
  (await act.fs.MakeDir({ DirFid, Name: bytes(name), InStatus: storeStatus({ mode: 0o755 }) })).OutFid

const makeFile = async (act: Act, DirFid: AFSFid, name: string): Promise<AFSFid> =>
  (await act.fs.CreateFile({ DirFid, Name: bytes(name), InStatus: everything })).OutFid

/** Where the vnode number of `..` is in a directory's first page: the entry behind the header and `.`. */
const dotDotVnode = 14 * 32 + 4

/** Versions and link counts of some objects. */
async function look(act: Act, step: string, fids: Readonly<Record<string, AFSFid>>): Promise<void> {
  const seen: Record<string, unknown> = {}
  for (const [name, Fid] of Object.entries(fids)) {
    try {
      const { OutStatus } = await act.fs.FetchStatus({ Fid })
      const { DataVersion, LinkCount, Length, ParentVnode } = OutStatus
      seen[name] = { DataVersion, LinkCount, Length, ParentVnode }
    } catch (error) {
      seen[name] = String(error)
    }
  }
  act.say(step, seen)
}

const names: Scenario = {
  name: "names that may be given and names that may not",
  volume: "names",
  async run(act) {
    const { fs } = act
    const DirFid = await makeDirectory(act, act.root, "names")
    const file = await makeFile(act, DirFid, "file")
    const tried: [string, Uint8Array][] = [
      ["empty", bytes("")],
      ["slash", bytes("a/b")],
      ["@sys", bytes("x@sys")],
      ["@sys alone", bytes("@sys")],
      ["existing", bytes("file")],
      ["dot", bytes(".")],
      ["dot dot", bytes("..")],
      ["255 bytes", Buffer.alloc(255, "n")],
      ["latin1", bytes("\u00e9\u00ff")],
      ["newline", bytes("a\nb")],
      ["@sysx", bytes("@sysx")],
    ]
    for (const [what, Name] of tried) {
      await act.note(`CreateFile ${what}`, fs.CreateFile({ DirFid, Name, InStatus: everything }))
      await act.note(`MakeDir ${what}`, fs.MakeDir({ DirFid, Name, InStatus: everything }))
      await act.note(
        `Symlink ${what}`,
        fs.Symlink({ DirFid, Name, LinkContents: bytes("x"), InStatus: storeStatus({ mode: 0o755 }) }),
      )
      await act.note(`Link ${what}`, fs.Link({ DirFid, Name, ExistingFid: file }))
      await fs.GetTime()
    }
    await act.note("257 bytes", fs.CreateFile({ DirFid, Name: Buffer.alloc(257, "n"), InStatus: everything }))
    await act.note("in a file", fs.CreateFile({ DirFid: file, Name: bytes("x"), InStatus: everything }))
    await act.note("MakeDir in a file", fs.MakeDir({ DirFid: file, Name: bytes("x"), InStatus: everything }))
    await act.note(
      "bad name in a missing directory",
      fs.CreateFile({ DirFid: { ...DirFid, Vnode: 999_999 }, Name: bytes("a/b"), InStatus: everything }),
    )
    await act.note(
      "bad name in volume 0",
      fs.CreateFile({ DirFid: { ...DirFid, Volume: 0 }, Name: bytes("a/b"), InStatus: everything }),
    )
    await look(act, "versions", { DirFid, file })
    await act.note("listing", fetched(act, DirFid, 0, 64))
  },
}

const removals: Scenario = {
  name: "removals",
  volume: "names",
  async run(act) {
    const { fs } = act
    const DirFid = await makeDirectory(act, act.root, "removals")
    const file = await makeFile(act, DirFid, "file")
    const sub = await makeDirectory(act, DirFid, "sub")
    await makeFile(act, sub, "inside")
    await act.note("RemoveFile of a directory", fs.RemoveFile({ DirFid, Name: bytes("sub") }))
    await act.note("RemoveDir of a file", fs.RemoveDir({ DirFid, Name: bytes("file") }))
    await act.note("RemoveDir that is not empty", fs.RemoveDir({ DirFid, Name: bytes("sub") }))
    for (const name of [".", "..", "", "missing", "a/b"]) {
      await act.note(`RemoveFile ${JSON.stringify(name)}`, fs.RemoveFile({ DirFid, Name: bytes(name) }))
      await act.note(`RemoveDir ${JSON.stringify(name)}`, fs.RemoveDir({ DirFid, Name: bytes(name) }))
    }
    await act.note("RemoveFile in a file", fs.RemoveFile({ DirFid: file, Name: bytes("x") }))
    await act.note("RemoveDir in a file", fs.RemoveDir({ DirFid: file, Name: bytes("x") }))
    await look(act, "before", { DirFid, sub, file })
    await act.note("RemoveFile", fs.RemoveFile({ DirFid, Name: bytes("file") }))
    await act.note("its status", fs.FetchStatus({ Fid: file }))
    await act.note("inside", fs.RemoveFile({ DirFid: sub, Name: bytes("inside") }))
    await act.note("RemoveDir", fs.RemoveDir({ DirFid, Name: bytes("sub") }))
    await act.note("its status", fs.FetchStatus({ Fid: sub }))
    await look(act, "after", { DirFid })
    await act.note("the vnode again", fs.CreateFile({ DirFid, Name: bytes("again"), InStatus: everything }))
  },
}

const links: Scenario = {
  name: "hard links",
  volume: "names",
  async run(act) {
    const { fs } = act
    const DirFid = await makeDirectory(act, act.root, "links")
    const other = await makeDirectory(act, act.root, "other-links")
    const ExistingFid = await makeFile(act, DirFid, "one")
    const symlink = await fs.Symlink({
      DirFid,
      Name: bytes("s"),
      LinkContents: bytes("x"),
      InStatus: storeStatus({ mode: 0o755 }),
    })
    await act.note("link", fs.Link({ DirFid, Name: bytes("two"), ExistingFid }))
    await act.note("over a name", fs.Link({ DirFid, Name: bytes("two"), ExistingFid }))
    await act.note("in another directory", fs.Link({ DirFid: other, Name: bytes("two"), ExistingFid }))
    await act.note("of a directory", fs.Link({ DirFid: act.root, Name: bytes("d"), ExistingFid: DirFid }))
    await act.note("of a symlink", fs.Link({ DirFid, Name: bytes("d"), ExistingFid: symlink.OutFid }))
    await act.note(
      "of another volume",
      fs.Link({ DirFid, Name: bytes("d"), ExistingFid: { ...ExistingFid, Volume: 4711 } }),
    )
    await act.note("of nothing", fs.Link({ DirFid, Name: bytes("d"), ExistingFid: { ...ExistingFid, Vnode: 99_998 } }))
    await act.note("of vnode 0", fs.Link({ DirFid, Name: bytes("d"), ExistingFid: { ...ExistingFid, Vnode: 0 } }))
    await act.note("in a file", fs.Link({ DirFid: ExistingFid, Name: bytes("d"), ExistingFid }))
    await look(act, "versions", { DirFid, ExistingFid })
    const rename = { OldDirFid: DirFid, OldName: bytes("two"), NewDirFid: other, NewName: bytes("two") }
    await act.note("renamed away", fs.Rename(rename))
    await act.note("onto its other name", fs.Rename({ ...rename, NewDirFid: DirFid, NewName: bytes("one") }))
    act.client.takeBreaks()
    await act.note("one name removed", fs.RemoveFile({ DirFid, Name: bytes("one") }))
    act.say("told", act.breaksOf(act.client))
    await look(act, "versions then", { DirFid, ExistingFid })
    await act.note("the last", fs.RemoveFile({ DirFid, Name: bytes("two") }))
    await act.note("gone", fs.FetchStatus({ Fid: ExistingFid }))
  },
}

const renames: Scenario = {
  name: "renames",
  volume: "names",
  async run(act) {
    const { fs } = act
    const from = await makeDirectory(act, act.root, "from")
    const to = await makeDirectory(act, act.root, "to")
    const file = await makeFile(act, from, "file")
    const target = await makeFile(act, to, "target")
    const sub = await makeDirectory(act, from, "sub")
    const below = await makeDirectory(act, sub, "below")
    const full = await makeDirectory(act, to, "full")
    await makeFile(act, full, "x")
    const empty = await makeDirectory(act, to, "empty")
    const known = { from, to, file, target, sub, below, full, empty }
    const rename = async (step: string, a: AFSFid, old: string, b: AFSFid, name: string): Promise<void> => {
      const ask = { OldDirFid: a, OldName: bytes(old), NewDirFid: b, NewName: bytes(name) }
      await act.note(step, fs.Rename(ask))
      await fs.GetTime()
    }
    await rename("to itself", from, "file", from, "file")
    await rename("missing", from, "none", to, "x")
    for (const name of ["", ".", "..", "a/b", "x@sys"]) {
      await rename(`new name ${JSON.stringify(name)}`, from, "file", to, name)
      await rename(`old name ${JSON.stringify(name)}`, from, name, to, "x")
    }
    await rename("other volume", from, "file", { ...to, Volume: 4711 }, "x")
    await rename("bad name, other volume", from, "file", { ...to, Volume: 4711 }, "a/b")
    await rename("to vnode 0", from, "file", { ...to, Vnode: 0 }, "x")
    await rename("from a file", file, "x", to, "x")
    await rename("into a file", from, "file", target, "x")
    await rename("file over a directory", from, "file", to, "empty")
    await rename("directory over a file", from, "sub", to, "target")
    await rename("directory over a full one", from, "sub", to, "full")
    await rename("into itself", from, "sub", sub, "x")
    await rename("below itself", from, "sub", below, "x")
    await rename("the directory it is in", act.root, "from", from, "x")
    await rename("over the directory it is in", sub, "below", from, "sub")
    await rename("over the parent", from, "file", act.root, "from")
    await look(act, "nothing changed", known)
    await rename("in one directory", from, "file", from, "renamed")
    await look(act, "after that", known)
    await rename("over a file", from, "renamed", to, "target")
    await look(act, "after that", known)
    act.client.takeBreaks()
    await fs.FetchStatus({ Fid: sub })
    await rename("directory to another parent", from, "sub", to, "moved")
    act.say("told", act.breaksOf(act.client))
    const { data } = (await fetched(act, sub, 0, 2048)) as { data: Buffer }
    act.say("its dot dot", [data.readUInt32BE(dotDotVnode), to.Vnode])
    await look(act, "after that", known)
    await act.note("status of the moved file", fs.FetchStatus({ Fid: file }))
    await act.note(
      "a long name",
      fs.Rename({ OldDirFid: to, OldName: bytes("target"), NewDirFid: from, NewName: Buffer.alloc(255, "q") }),
    )
    await act.note(
      "too long a name",
      fs.Rename({ OldDirFid: to, OldName: bytes("empty"), NewDirFid: from, NewName: Buffer.alloc(257, "q") }),
    )
  },
}

const large: Scenario = {
  name: "a directory of many pages",
  volume: "names",
  async run(act) {
    const { fs } = act
    const DirFid = await makeDirectory(act, act.root, "large")
    for (let index = 0; index < 300; index++)
      await fs.CreateFile({ DirFid, Name: bytes(`entry-with-a-rather-long-name-${index}`), InStatus: unchanged })
    await look(act, "full", { DirFid })
    for (let index = 0; index < 300; index += 3)
      await fs.RemoveFile({ DirFid, Name: bytes(`entry-with-a-rather-long-name-${index}`) })
    await look(act, "a third gone", { DirFid })
    for (let index = 0; index < 50; index++)
      await fs.CreateFile({ DirFid, Name: bytes(`again-${index}`), InStatus: unchanged })
    await look(act, "some more", { DirFid })
    const { data } = (await fetched(act, DirFid)) as { data: Buffer }
    act.say("first page", data.subarray(0, 64))
  },
}

const versions: Scenario = {
  name: "each change of a directory raises its version by one",
  volume: "names",
  async run(act) {
    const { fs } = act
    const DirFid = await makeDirectory(act, act.root, "versions")
    const file = await makeFile(act, DirFid, "a")
    const steps: [string, () => Promise<unknown>][] = [
      ["store", () => stored(fs, file, bytes("x"))],
      ["status", () => fs.StoreStatus({ Fid: DirFid, InStatus: storeStatus({ mode: 0o700 }) })],
      ["acl", () => fs.StoreACL({ Fid: DirFid, AccessList: bytes("1\n0\nsystem:anyuser\t127\n\0") })],
      ["lock", () => fs.SetLock({ Fid: DirFid, Type: 0 })],
      ["link", () => fs.Link({ DirFid, Name: bytes("b"), ExistingFid: file })],
      ["rename", () => fs.Rename({ OldDirFid: DirFid, OldName: bytes("b"), NewDirFid: DirFid, NewName: bytes("c") })],
      ["remove", () => fs.RemoveFile({ DirFid, Name: bytes("c") })],
      ["mkdir", () => fs.MakeDir({ DirFid, Name: bytes("d"), InStatus: unchanged })],
      ["rmdir", () => fs.RemoveDir({ DirFid, Name: bytes("d") })],
    ]
    for (const [step, work] of steps) {
      await act.note(step, work())
      await look(act, `after ${step}`, { DirFid, file })
    }
  },
}

/** What we do otherwise, on purpose; last, since it leaves the volume in another state. docs/serving.md */
const differences: Scenario = {
  name: "where the servers differ",
  volume: "names",
  async run(act) {
    const { fs } = act
    const DirFid = await makeDirectory(act, act.root, "differences")
    await makeDirectory(act, DirFid, "full")
    const empty = await makeDirectory(act, DirFid, "empty")
    const ask = { OldDirFid: DirFid, OldName: bytes("full"), NewDirFid: DirFid, NewName: bytes("empty") }
    const over = await act.fs.Rename(ask)
    act.say("links of a directory after a rename over an empty one in it", over.OutNewDirStatus.LinkCount)
    act.say("the one that was replaced", await codeOf(fs.FetchStatus({ Fid: empty })))
    const longest = { DirFid, Name: Buffer.alloc(256, "n"), InStatus: everything }
    act.say("a name of 256 bytes", await codeOf(fs.CreateFile(longest)))
    await codeOf(fs.RemoveFile({ DirFid, Name: longest.Name }))
  },
}

export const directoryScenarios: readonly Scenario[] = [names, removals, links, renames, large, versions, differences]
