import test from "ava"
import { nameOfProgram, programOf } from "../../../common/lock/process-name.ts"

test("process name: a daemon of this suite is named by its subcommand, whatever options stand before it", (t) => {
  t.is(nameOfProgram("node", ["/usr/bin/node", "/opt/dafs/build/cli/dafs.js", "volserver", "--json"]), "dafs volserver")
  t.is(nameOfProgram("MainThread", ["node", "--enable-source-maps", "/usr/bin/dafs", "salvager"]), "dafs salvager")
  t.is(nameOfProgram("node", ["node", "dafs.js", "--help"]), "dafs")
  t.is(nameOfProgram("node", ["node", "dafs.js", "launch", "davolserver", "-p", "16"]), "dafs launch davolserver")
  t.is(nameOfProgram("dafs fileserver", ["dafs fileserver"]), "dafs fileserver")
})

test("process name: another Node program is named by its script", (t) => {
  t.is(nameOfProgram("node", ["node", "/srv/tools/backup.js", "all"]), "node backup.js")
  t.is(nameOfProgram("node", ["node"]), "node")
})

test("process name: a name the kernel cut short is completed, one the process chose itself is kept", (t) => {
  t.is(nameOfProgram("davolserver", ["/usr/lib/openafs/davolserver", "-p", "16"]), "davolserver")
  t.is(nameOfProgram("dafssync-debug-", ["/usr/sbin/dafssync-debug-long", "query"]), "dafssync-debug-long")
  t.is(nameOfProgram("worker/3", ["/usr/sbin/other"]), "worker/3")
  t.is(nameOfProgram("kthreadd", []), "kthreadd")
})

test("process name: this process has a name, a process that does not exist has none", (t) => {
  t.regex(programOf(process.pid) ?? "", /^node /)
  t.is(programOf(2 ** 22 + 1), undefined) // above the largest pid there can be
})
