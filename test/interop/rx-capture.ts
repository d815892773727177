/**
 * What our fileserver puts on the wire, read by somebody else: every packet between it and OpenAFS's FUSE client, captured in the
 * cell and taken apart by a reader that shares nothing with ours.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import { RXAFSCB } from "../../common/protocol/afscbint.ts"
import { RXAFS } from "../../common/protocol/afsint.ts"
import { type Cell, cellAddress } from "../support/cell.ts"
import { awaitTree, cellTree, cellWithRoot, shell, startOurs } from "../support/fuse-work.ts"
import { builtProgram, projectFile } from "../support/project.ts"
import { needsCellFuseAndPython } from "../support/requirements.ts"

interface Capture {
  /** Packets by direction and type, `to DATA`: to the server. */
  readonly counts: Readonly<Record<string, number>>
  readonly malformed: readonly string[]
  /** Data packets that were sent twice. */
  readonly again: readonly string[]
  /** Bytes of the longest data packet. */
  readonly largest: number
  readonly dropped: number
  /** First packets: to the server or from it, opcode or answer, call number. */
  readonly calls: readonly (readonly [boolean, number | "answer", number])[]
}

const dafs = `${process.execPath} ${builtProgram("cli/dafs.ts")}`
const reader = projectFile("test", "support", "rx-capture.py")

let captures = 0

/** What passed on port 7000 while something was done. */
async function captured(cell: Cell, work: () => Promise<void>): Promise<Capture> {
  const name = `capture${captures++}`
  const output = join(cell.directory, `${name}.json`)
  await cell.run(name, "python3", reader, "7000", output)
  await shell(
    cell,
    `timeout 20 sh -c 'until grep -qs capturing ${cell.directory}/log/${name}.out; do sleep 0.05; done'`,
  )
  await work()
  await cell.stop(name)
  return JSON.parse(readFileSync(output, "utf8")) as Capture
}

/** A machine that stalls for longer than a timer makes a packet be sent again; on loopback nothing else does. */
const againMost = 0.02

function requireWhole(t: ExecutionContext, { malformed, again, dropped, counts }: Capture): void {
  const data = (counts["to DATA"] ?? 0) + (counts["from DATA"] ?? 0)
  t.deepEqual(malformed, [])
  t.true(again.length <= Math.ceil(data * againMost), again.join(", "))
  t.is(dropped, 0)
  t.log(JSON.stringify({ ...counts, again: again.length }))
}

const bytes = 400_000
/** Of a packet without jumbograms on Ethernet. */
const bodyMax = 1416

const forEachSize = (deed: string): string => `for n in 0 1 2 1023 1024 1025 ${20 << 20}; do ${deed}; done`
/** What users do to names, and what is so afterwards. The client puts its mount point in front of what a symbolic link says. */
const changes = `mkdir d1 d2; rmdir d2; echo x >f1; mv f1 f2; ln f2 f3; ln -s f2 l; chmod 600 f2; echo x >t; truncate -s 0 t`
const unchanged = `test -d d1; test ! -e d2; test ! -e f1; test "$(cat f2 f3 | wc -l)" = 2; test f2 -ef f3
  test "$(readlink l)" = /afs/f2; test "$(stat -c %a f2)" = 600; test -e t; test ! -s t`

for (const backEnd of ["auto", "node"]) {
  needsCellFuseAndPython.serial(
    `capture: a client mounts and copies files to and fro, and finds them after a remount; every packet is sound, on back end ${backEnd}`,
    async (t) => {
      const cell = await cellWithRoot(t)
      await startOurs(cell, "--socket-back-end", backEnd)
      const start = await captured(cell, async () => {
        await cell.start("fuse")
        await awaitTree(cell)
      })
      requireWhole(t, start)
      const [whoAreYou, reset] = [RXAFSCB.operations.TellMeAboutYourself, RXAFSCB.operations.InitCallBackState3]
      const before = start.calls.slice(
        0,
        start.calls.findIndex(([toServer, what]) => !toServer && what === "answer"),
      )
      t.deepEqual(
        before.filter(([toServer, what]) => !toServer && what !== "answer").map(([, what]) => what),
        [whoAreYou.opcode, reset.opcode],
        "the server asks who it is, and resets it, before it answers",
      )
      t.true(start.calls.some(([toServer, what]) => toServer && what === RXAFS.operations.GetCapabilities.opcode))

      const [here, there] = [`${cell.directory}/source`, `${cellTree}/copy`]
      await shell(cell, `head -c ${bytes} /dev/urandom >${here}`)
      await cell.start("vol")
      const volume = await cell.volumeId("root.cell")
      const isStored = `${dafs} fs get ${cellAddress} ${volume}:copy - | cmp -s - ${here}`
      const stored = await captured(cell, async () => {
        await shell(cell, `cp ${here} ${there}; timeout 20 sh -c 'until ${isStored}; do sleep 0.1; done'`)
      })
      requireWhole(t, stored)
      await shell(
        cell,
        `cd ${cellTree}; ${forEachSize(`head -c $n /dev/urandom >${here}$n; cp ${here}$n s$n`)}; ${changes}`,
      )
      // A client that has nothing in its cache.
      await cell.stop("fuse")
      await shell(cell, `rm -rf ${cell.directory}/cache/*`)
      const fetched = await captured(cell, async () => {
        await cell.start("fuse")
        await awaitTree(cell)
        await shell(cell, `cmp ${here} ${there}`)
      })
      requireWhole(t, fetched)
      await shell(cell, `cd ${cellTree}; ${forEachSize(`cmp ${here}$n s$n`)}; ${unchanged}`)
      for (const { largest } of [stored, fetched]) t.true(largest > 1000 && largest <= bodyMax, `${largest}`)
      const enough = Math.ceil(bytes / bodyMax)
      t.true((stored.counts["to DATA"] ?? 0) >= enough)
      t.true((fetched.counts["from DATA"] ?? 0) >= enough)
    },
  )
}
