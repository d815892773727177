/** Scenarios: access lists, and what each right alone allows; promises and who is told of what. */
import { codeOf, storeStatus } from "./rxafs-client.ts"
import { type Act, type AFSFid, allow, fetched, type Scenario, scenarioTools, stored } from "./rxafs-scenarios.ts"

const { bytes, everything, unchanged } = scenarioTools
const executable = storeStatus({ mode: 0o755 })

const lists: Scenario = {
  name: "access lists as text",
  volume: "access",
  async run(act) {
    const { fs } = act
    const Fid = (await fs.MakeDir({ DirFid: act.root, Name: bytes("lists"), InStatus: executable })).OutFid
    const file = (await fs.CreateFile({ DirFid: Fid, Name: bytes("f"), InStatus: everything })).OutFid
    await act.note("FetchACL", fs.FetchACL({ Fid }))
    await act.note("of a file", fs.FetchACL({ Fid: file }))
    await act.note("StoreACL on a file", fs.StoreACL({ Fid: file, AccessList: bytes("0\n0\n\0") }))
    const many = Array.from({ length: 21 }, (_, index) => `${-1000 - index}\t1\n`).join("")
    const texts: [string, string][] = [
      ["two entries", "2\n0\nsystem:anyuser\t127\nsystem:authuser\t9\n\0"],
      ["negative", "1\n1\nsystem:anyuser\t127\nsystem:authuser\t7\n\0"],
      ["unknown name", "1\n0\nnobody.of.this.name\t1\n\0"],
      ["anonymous", "1\n0\nanonymous\t1\n\0"],
      ["no NUL", "1\n0\nsystem:anyuser\t127\n"],
      ["no text", ""],
      ["letters for rights", "1\n0\nsystem:anyuser\trl\n\0"],
      ["fewer lines than said", "2\n0\nsystem:anyuser\t127\n\0"],
      ["21 entries", `21\n0\n${many}\0`],
      ["rights of others", "1\n0\nsystem:anyuser\t-1\n\0"],
      ["rights above", "1\n0\nsystem:anyuser\t2147483647\n\0"],
      ["garbage behind", "1\n0\nsystem:anyuser\t127\nmore\n\0"],
      ["spaces", "1\n0\nsystem:anyuser 127\n\0"],
      ["administrators", "2\n0\nsystem:administrators\t127\nsystem:anyuser\t127\n\0"],
      ["negative counts", "-1\n0\nsystem:anyuser\t127\n\0"],
    ]
    for (const [what, text] of texts) {
      await act.note(`StoreACL ${what}`, fs.StoreACL({ Fid, AccessList: bytes(text) }))
      await act.note(`FetchACL after ${what}`, fs.FetchACL({ Fid }))
    }
    const sub = (await fs.MakeDir({ DirFid: Fid, Name: bytes("sub"), InStatus: executable })).OutFid
    await act.note("inherited", fs.FetchACL({ Fid: sub }))
    await act.note("less", fs.StoreACL({ Fid: sub, AccessList: bytes("1\n0\nsystem:anyuser\t9\n\0") }))
    await act.note("then", fs.FetchStatus({ Fid: sub }))
    await act.note("closed to us", fs.StoreACL({ Fid: sub, AccessList: bytes("0\n0\n\0") }))
  },
}

interface Ground {
  readonly DirFid: AFSFid
  readonly own: AFSFid
  readonly other: AFSFid
  readonly link: AFSFid
  readonly sub: AFSFid
}

/** A directory with a file of the caller's, one of somebody else's, a symlink and an empty directory. */
async function prepare(act: Act, name: string, modes = 0o644): Promise<Ground> {
  const { fs } = act
  const DirFid = (await fs.MakeDir({ DirFid: act.root, Name: bytes(name), InStatus: executable })).OutFid
  const create = async (file: string, InStatus: typeof unchanged): Promise<AFSFid> => {
    const { OutFid } = await fs.CreateFile({ DirFid, Name: bytes(file), InStatus })
    return OutFid
  }
  const own = await create("own", storeStatus({ mode: 0o644 }))
  const other = await create("other", storeStatus({ mode: 0o644, owner: 777 }))
  await stored(fs, own, bytes("own"))
  await stored(fs, other, bytes("other"), {}, unchanged)
  await fs.StoreStatus({ Fid: own, InStatus: storeStatus({ mode: modes }) })
  await fs.StoreStatus({ Fid: other, InStatus: storeStatus({ mode: modes }) })
  const link = (await fs.Symlink({ DirFid, Name: bytes("link"), LinkContents: bytes("own"), InStatus: executable }))
    .OutFid
  const sub = (await fs.MakeDir({ DirFid, Name: bytes("sub"), InStatus: executable })).OutFid
  return { DirFid, own, other, link, sub }
}

/** The code of every operation; alternating with successes, since some servers make repeated failures wait. */
async function tryAll(act: Act, { DirFid, own, other, link, sub }: Ground): Promise<Record<string, unknown>> {
  const { fs } = act
  const Name = (text: string): Uint8Array => bytes(text)
  const deeds: Readonly<Record<string, () => Promise<unknown>>> = {
    statusOfDirectory: () => fs.FetchStatus({ Fid: DirFid }),
    statusOfOwn: () => fs.FetchStatus({ Fid: own }),
    statusOfOther: () => fs.FetchStatus({ Fid: other }),
    statusOfLink: () => fs.FetchStatus({ Fid: link }),
    listOfDirectory: () => fs.FetchACL({ Fid: DirFid }),
    listOfOwn: () => fs.FetchACL({ Fid: own }),
    listOfLink: () => fs.FetchACL({ Fid: link }),
    dataOfDirectory: () => fetched(act, DirFid),
    dataOfOwn: () => fetched(act, own),
    dataOfOther: () => fetched(act, other),
    dataOfLink: () => fetched(act, link),
    storeOwn: () => stored(fs, own, bytes("new")),
    storeOther: () => stored(fs, other, bytes("new")),
    storeLink: () => stored(fs, link, bytes("new")),
    chmodDirectory: () => fs.StoreStatus({ Fid: DirFid, InStatus: storeStatus({ mode: 0o750 }) }),
    timeOfOwn: () => fs.StoreStatus({ Fid: own, InStatus: storeStatus({ modTime: 9 }) }),
    timeOfOther: () => fs.StoreStatus({ Fid: other, InStatus: storeStatus({ modTime: 9 }) }),
    timeOfLink: () => fs.StoreStatus({ Fid: link, InStatus: storeStatus({ modTime: 9 }) }),
    chmodLink: () => fs.StoreStatus({ Fid: link, InStatus: storeStatus({ mode: 0o700 }) }),
    setuidOwn: () => fs.StoreStatus({ Fid: own, InStatus: storeStatus({ mode: 0o4644 }) }),
    setuidOther: () => fs.StoreStatus({ Fid: other, InStatus: storeStatus({ mode: 0o4644 }) }),
    chownOwn: () => fs.StoreStatus({ Fid: own, InStatus: storeStatus({ owner: 5 }) }),
    chownOther: () => fs.StoreStatus({ Fid: other, InStatus: storeStatus({ owner: 5 }) }),
    chgrpOwn: () => fs.StoreStatus({ Fid: own, InStatus: storeStatus({ group: 5 }) }),
    readLockOwn: () => fs.SetLock({ Fid: own, Type: 0 }),
    releaseOwn: () => fs.ReleaseLock({ Fid: own }),
    readLockOther: () => fs.SetLock({ Fid: other, Type: 0 }),
    releaseOther: () => fs.ReleaseLock({ Fid: other }),
    writeLockOwn: () => fs.SetLock({ Fid: own, Type: 1 }),
    releaseOwnAgain: () => fs.ReleaseLock({ Fid: own }),
    writeLockOther: () => fs.SetLock({ Fid: other, Type: 1 }),
    releaseOtherAgain: () => fs.ReleaseLock({ Fid: other }),
    create: () => fs.CreateFile({ DirFid, Name: Name("new"), InStatus: everything }),
    makeDirectory: () => fs.MakeDir({ DirFid, Name: Name("newdir"), InStatus: executable }),
    symlink: () => fs.Symlink({ DirFid, Name: Name("newlink"), LinkContents: Name("x"), InStatus: executable }),
    mountPoint: () => fs.Symlink({ DirFid, Name: Name("point"), LinkContents: Name("#v."), InStatus: everything }),
    link: () => fs.Link({ DirFid, Name: Name("hard"), ExistingFid: own }),
    rename: () => fs.Rename({ OldDirFid: DirFid, OldName: Name("own"), NewDirFid: DirFid, NewName: Name("moved") }),
    renameOver: () =>
      fs.Rename({ OldDirFid: DirFid, OldName: Name("link"), NewDirFid: DirFid, NewName: Name("other") }),
    removeMissing: () => fs.RemoveFile({ DirFid, Name: Name("missing") }),
    removeFile: () => fs.RemoveFile({ DirFid, Name: Name("other") }),
    removeDirectory: () => fs.RemoveDir({ DirFid, Name: Name("sub") }),
    statusOfSub: () => fs.FetchStatus({ Fid: sub }),
    storeList: () => fs.StoreACL({ Fid: DirFid, AccessList: bytes("1\n0\nsystem:anyuser\t127\n\0") }),
  }
  const codes: Record<string, unknown> = {}
  for (const [deed, work] of Object.entries(deeds)) {
    codes[deed] = await codeOf(work())
    await fs.GetTime()
  }
  return codes
}

const rights: Scenario = {
  name: "what each right alone allows",
  volume: "access",
  async run(act) {
    const letters = { none: 0, r: 1, w: 2, i: 4, l: 8, d: 16, k: 32, a: 64, li: 12, lid: 28, rl: 9, rlidwka: 127 }
    for (const [name, bits] of Object.entries(letters)) {
      const ground = await prepare(act, `right-${name}`)
      await allow(act.fs, ground.DirFid, bits)
      act.say(`with ${name}`, await tryAll(act, ground))
    }
  },
}

const seen: Scenario = {
  name: "rights as statuses show them",
  volume: "access",
  async run(act) {
    const { fs } = act
    for (const bits of [9, 15, 64 + 9, 127]) {
      const { DirFid, own, other, link } = await prepare(act, `seen-${bits}`)
      await allow(fs, DirFid, bits)
      for (const [what, Fid] of Object.entries({ DirFid, own, other, link }))
        await act.note(`${what} with ${bits}`, fs.FetchStatus({ Fid }))
      const owner = storeStatus({ owner: 777, mode: 0o755 })
      await act.note(`created with ${bits}`, fs.CreateFile({ DirFid, Name: bytes("made"), InStatus: owner }))
      await act.note(`made with ${bits}`, fs.MakeDir({ DirFid, Name: bytes("madedir"), InStatus: owner }))
      const symlink = { DirFid, Name: bytes("madelink"), LinkContents: bytes("x"), InStatus: owner }
      await act.note(`linked with ${bits}`, fs.Symlink(symlink))
      await act.note(`named with ${bits}`, fs.Link({ DirFid, Name: bytes("hard"), ExistingFid: own }))
      await act.note(`stored with ${bits}`, stored(fs, own, bytes("x")))
    }
  },
}

const modes: Scenario = {
  name: "mode bits that the server looks at",
  volume: "access",
  async run(act) {
    const { fs } = act
    for (const mode of [0o000, 0o400, 0o200, 0o100, 0o077])
      for (const bits of [1 + 8, 2 + 8, 4 + 8]) {
        const { DirFid, own, other } = await prepare(act, `mode-${mode}-${bits}`, mode)
        await allow(fs, DirFid, bits)
        const codes = {
          fetchOwn: await codeOf(fetched(act, own)),
          storeOwn: await codeOf(stored(fs, own, bytes("x"))),
          time: await codeOf(fs.GetTime()),
          fetchOther: await codeOf(fetched(act, other)),
          storeOther: await codeOf(stored(fs, other, bytes("x"))),
        }
        act.say(`mode ${mode.toString(8)}, rights ${bits}`, codes)
      }
  },
}

const told: Scenario = {
  name: "who is told of what",
  volume: "promises",
  async run(act) {
    const { fs, root } = act
    const watcher = await act.another()
    const DirFid = (await fs.MakeDir({ DirFid: root, Name: bytes("told"), InStatus: executable })).OutFid
    const other = (await fs.MakeDir({ DirFid: root, Name: bytes("other"), InStatus: executable })).OutFid
    const file = (await fs.CreateFile({ DirFid, Name: bytes("file"), InStatus: everything })).OutFid
    const deeds: [string, () => Promise<unknown>][] = [
      ["StoreData", () => stored(fs, file, bytes("x"))],
      ["StoreData again", () => stored(fs, file, bytes("y"))],
      ["StoreStatus", () => fs.StoreStatus({ Fid: file, InStatus: storeStatus({ mode: 0o600 }) })],
      ["StoreACL", () => fs.StoreACL({ Fid: DirFid, AccessList: bytes("1\n0\nsystem:anyuser\t127\n\0") })],
      ["SetLock", () => fs.SetLock({ Fid: file, Type: 0 })],
      ["ExtendLock", () => fs.ExtendLock({ Fid: file })],
      ["ReleaseLock", () => fs.ReleaseLock({ Fid: file })],
      ["CreateFile", () => fs.CreateFile({ DirFid, Name: bytes("new"), InStatus: everything })],
      ["MakeDir", () => fs.MakeDir({ DirFid, Name: bytes("sub"), InStatus: executable })],
      ["Symlink", () => fs.Symlink({ DirFid, Name: bytes("sym"), LinkContents: bytes("x"), InStatus: executable })],
      ["Link", () => fs.Link({ DirFid, Name: bytes("hard"), ExistingFid: file })],
      [
        "Rename in place",
        () => fs.Rename({ OldDirFid: DirFid, OldName: bytes("new"), NewDirFid: DirFid, NewName: bytes("n") }),
      ],
      [
        "Rename away",
        () => fs.Rename({ OldDirFid: DirFid, OldName: bytes("n"), NewDirFid: other, NewName: bytes("n") }),
      ],
      [
        "Rename of a directory",
        () => fs.Rename({ OldDirFid: DirFid, OldName: bytes("sub"), NewDirFid: other, NewName: bytes("sub") }),
      ],
      [
        "Rename over a link",
        () => fs.Rename({ OldDirFid: DirFid, OldName: bytes("sym"), NewDirFid: DirFid, NewName: bytes("hard") }),
      ],
      ["RemoveFile", () => fs.RemoveFile({ DirFid, Name: bytes("file") })],
      ["RemoveDir", () => fs.RemoveDir({ DirFid: other, Name: bytes("sub") })],
      ["FetchStatus", () => fs.FetchStatus({ Fid: DirFid })],
    ]
    for (const [deed, work] of deeds) {
      for (const client of [watcher, act.client])
        for (const Fid of [DirFid, other, file]) await codeOf(client.fs.FetchStatus({ Fid }))
      if (deed === "StoreData again") await watcher.fs.GiveUpCallBacks({ Fids_Array: [file], CallBacks_Array: [] })
      watcher.takeBreaks()
      act.client.takeBreaks()
      await act.note(deed, codeOf(work()))
      act.say(`${deed}: others`, act.breaksOf(watcher))
      act.say(`${deed}: the caller`, act.breaksOf(act.client))
    }
    const many = { Fids_Array: [], CallBacks_Array: [{ CallBackVersion: 1, ExpirationTime: 0, CallBackType: 3 }] }
    await act.note("GiveUpCallBacks, fewer fids", fs.GiveUpCallBacks(many))
    await act.note("GiveUpCallBacks of nothing", fs.GiveUpCallBacks({ Fids_Array: [], CallBacks_Array: [] }))
    await act.note("GiveUpAllCallBacks", watcher.fs.GiveUpAllCallBacks())
    await act.note("StoreACL", fs.StoreACL({ Fid: DirFid, AccessList: bytes("1\n0\nsystem:anyuser\t127\n\0") }))
    act.say("nobody is told", act.breaksOf(watcher))
  },
}

const once: Scenario = {
  name: "a promise is broken once",
  volume: "promises",
  async run(act) {
    const { fs, root } = act
    const watcher = await act.another()
    const file = (await fs.CreateFile({ DirFid: root, Name: bytes("once"), InStatus: everything })).OutFid
    await act.note("promised", watcher.fs.FetchStatus({ Fid: file }))
    watcher.takeBreaks()
    await stored(fs, file, bytes("1"))
    await stored(fs, file, bytes("2"))
    act.say("told once", act.breaksOf(watcher))
    let data = ""
    await watcher.fs.FetchData64({ Fid: file, Pos: 0, Length: 10 }, async (bulk) => {
      for (; !bulk.isRead; ) {
        const piece = bulk.read()
        if (piece === undefined) await bulk.readable()
        else data += Buffer.from(piece).toString()
      }
    })
    act.say("the second content", data)
    await stored(fs, file, bytes("3"))
    act.say("told again after a fetch", act.breaksOf(watcher))
  },
}

const lifetimes: Scenario = {
  name: "promises are shorter the more there are",
  volume: "promises",
  async run(act) {
    const { fs, root } = act
    const file = (await fs.CreateFile({ DirFid: root, Name: bytes("popular"), InStatus: everything })).OutFid
    const told: string[] = []
    for (let index = 0; index < 18; index++) {
      const client = await act.another()
      const { CallBack } = await client.fs.FetchStatus({ Fid: file })
      told.push(JSON.stringify(act.plain(CallBack)))
    }
    act.say("lifetimes", told)
  },
}

export const accessScenarios: readonly Scenario[] = [lists, rights, seen, modes]
export const promiseScenarios: readonly Scenario[] = [told, once, lifetimes]
