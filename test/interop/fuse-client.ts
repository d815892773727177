/**
 * OpenAFS's FUSE client on our fileserver, in a real cell: what users do with a file system. After each work both salvagers
 * find nothing, and dafileserver serves the same content.
 */
import { join } from "node:path"
import type { ExecutionContext } from "ava"
import type { Cell } from "../support/cell.ts"
import {
  awaitTree,
  cellTree,
  cellWithRoot,
  digestOf,
  longWork,
  requireSound,
  shell,
  startOurs,
  startSalvages,
  startSecondClient,
  startTheirs,
  work,
} from "../support/fuse-work.ts"
import { projectDirectory } from "../support/project.ts"
import { fuzzMs, seededRandom } from "../support/random.ts"
import { needsCellAndFuse, needsCellAndPatience } from "../support/requirements.ts"

/** Work that takes minutes is done in full with DAFS_LARGE=1. */
const isLarge = needsCellAndPatience.met

async function served(t: ExecutionContext, minutes?: number): Promise<Cell> {
  const cell = await cellWithRoot(t, minutes)
  await startOurs(cell)
  await cell.start("fuse")
  await awaitTree(cell)
  return cell
}

const until = (condition: string): string => `timeout 20 bash -c 'until ${condition}; do sleep 0.05; done'`

/** Ends our server, judges what it left, and compares what dafileserver makes of it with what our server showed. */
async function judge(t: ExecutionContext, cell: Cell): Promise<void> {
  const mine = await digestOf(cell, cellTree)
  await cell.stop("fuse", "fs")
  await requireSound(t, cell)
  await startTheirs(cell)
  await cell.start("fuse")
  await awaitTree(cell)
  t.is(await digestOf(cell, cellTree), mine, "dafileserver serves the same")
}

needsCellAndFuse.serial(
  "FUSE client: a git repository is cloned into AFS, checks out clean and passes fsck",
  async (t) => {
    const cell = await served(t)
    await shell(
      cell,
      `export HOME=${cell.directory} GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
     export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@test GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@test
     cp -r ${join(projectDirectory, "common")} ${cell.directory}/source && cd ${cell.directory}/source
     git init -q && for name in *; do git add "$name" && git commit -qm "add $name"; done
     git clone -q file://${cell.directory}/source ${cellTree}/clone
     cd ${cellTree}/clone && git fsck --full --strict && test -z "$(git status --porcelain)"
     echo more >>ids.ts && git commit -qam more && git gc -q && git fsck --full
     diff -r --exclude=.git --exclude=ids.ts ${cell.directory}/source .`,
    )
    await judge(t, cell)
  },
)

needsCellAndFuse.serial(
  "FUSE client: an archive is unpacked and equal to what it was made of; a program is built",
  async (t) => {
    const cell = await served(t)
    const modules = isLarge ? "." : "yargs pino msgpackr fs-ext ava cliui"
    await shell(
      cell,
      `cd ${join(projectDirectory, "node_modules")} && tar chf ${cell.directory}/modules.tar --exclude=.bin ${modules}
     mkdir ${cell.directory}/there ${cellTree}/here
     tar xf ${cell.directory}/modules.tar -C ${cell.directory}/there && tar xmf ${cell.directory}/modules.tar --no-same-owner --no-same-permissions -C ${cellTree}/here
     diff -r ${cell.directory}/there ${cellTree}/here
     mkdir ${cellTree}/program && cd ${cellTree}/program
     for n in 1 2 3 4 5 6 7 8; do printf 'int f%d(int x) { return x + %d; }\n' $n $n >f$n.c; done
     { for n in 1 2 3 4 5 6 7 8; do echo "int f$n(int);"; done; echo '#include <stdio.h>'
       echo 'int main(void) { printf("%d\\n", f1(f2(f3(f4(f5(f6(f7(f8(0))))))))); return 0; }'; } >main.c
     if command -v make >/dev/null && command -v cc >/dev/null; then
       printf 'sum: main.o f1.o f2.o f3.o f4.o f5.o f6.o f7.o f8.o\n\tcc -o sum $^\n' >Makefile
       make -s && cp sum ${cell.directory}/sum && test "$(${cell.directory}/sum)" = 36
     fi`,
    )
    await judge(t, cell)
  },
)

needsCellAndFuse.serial("FUSE client: many files in one tree and many in one directory are all there", async (t) => {
  const cell = await served(t, isLarge ? 60 : 5)
  await work(cell, "tree", `${cellTree}/tree`, isLarge ? 50_000 : 600)
  await work(cell, "crowd", `${cellTree}/crowd`, isLarge ? 20_000 : 600)
  await judge(t, cell)
})

needsCellAndFuse.serial("FUSE client: random reads, writes, truncations and renames agree with a model", async (t) => {
  const cell = await served(t, 20)
  const { seed } = seededRandom(t)
  await longWork(t, cell, "random", { seconds: isLarge ? 600 : Math.max(10, fuzzMs / 1000), seed })
  await judge(t, cell)
})

needsCellAndFuse.serial("FUSE client: two clients see each other's changes at once", async (t) => {
  const cell = await served(t)
  await startSecondClient(cell)
  const other = cellTree.replace("/afs/", "/afs2/")
  await awaitTree(cell, other)
  for (let turn = 0; turn < 20; turn++) {
    const [here, there] = turn % 2 === 0 ? [cellTree, other] : [other, cellTree]
    await shell(cell, `cat ${here}/shared ${there}/shared >/dev/null 2>&1 || true; echo "turn ${turn}" >${here}/shared`)
    t.is(await shell(cell, `cat ${there}/shared`), `turn ${turn}\n`)
    // The kernel keeps names for a second of its own, in front of the client.
    await shell(cell, `mkdir ${here}/made${turn}; ${until(`test -d ${there}/made${turn}`)}; rmdir ${there}/made${turn}`)
    await shell(cell, until(`! test -e ${here}/made${turn}`))
  }
  await cell.stop("fuse2")
  await judge(t, cell)
})

for (const how of ["ended cleanly", "killed"] as const) {
  needsCellAndFuse.serial(
    `FUSE client: goes on with its work when the server is ${how} and started again`,
    async (t) => {
      const cell = await served(t)
      await startSalvages(cell)
      const done = work(cell, "tree", `${cellTree}/tree`, 400)
      await cell.exec("timeout", "60", "sh", "-c", `until test -e ${cellTree}/tree/d0/d1; do sleep 0.05; done`)
      await (how === "killed" ? cell.kill("fs") : cell.stop("fs"))
      await startOurs(cell)
      await done
      t.pass()
      await judge(t, cell)
    },
  )
}
