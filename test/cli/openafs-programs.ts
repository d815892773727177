import { accessSync, constants, readFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { LaunchError, launchWords, openafsPrograms, usageOf } from "../../cli/openafs-programs.ts"
import { runDafs, runProgram } from "../support/spawned.ts"
import { temporaryDirectory } from "../support/temporary-directory.ts"

/** What is typed, and what of ours it becomes. */
const translations: readonly (readonly [string, string])[] = [
  ["dafileserver", "fileserver --openafs --port 7000"],
  // as Debian's documentation has bosserver start it
  [
    "dafileserver -p 23 -busyat 600 -rxpck 400 -s 1200 -l 1200 -cb 65535 -b 240 -vc 1200",
    "fileserver --openafs --port 7000 --cb 65535",
  ],
  [
    "dafileserver -vlruthresh 5 -vlruint 6 -vlrumax 7 -vlrudisable -offline-timeout -1",
    "fileserver --openafs --port 7000 --vlruthresh 5 --vlruinterval 6 --vlrumax 7 --vlrudisable --offline-timeout -1",
  ],
  ["dafileserver -d 25 -logfile /tmp/x -L", "fileserver --openafs --port 7000 --log-level trace --logfile /tmp/x"],
  ["dafileserver -syslog -jumbo", "fileserver --openafs --port 7000 --jumbo"],
  ["dafileserver -syslog 3 -config /etc/x", "fileserver --openafs --port 7000 --config-dir /etc/x"],
  ["davolserver -p 64 -log", "volserver --logfile /var/log/openafs/VolserLog --parallel 64"],
  ["davolserver -logfile /x", "volserver --logfile /x"],
  ["salvageserver", "salvageserver --logfile /var/log/openafs/SalsrvLog"],
  [
    "salvageserver -parallel all4 -orphans attach",
    "salvageserver --logfile /var/log/openafs/SalsrvLog --parallel 4 --orphans attach",
  ],
  ["salvageserver -client -partition /vicepa -volumeid 5", "salvage salvage --wait --partition /vicepa --volumeid 5"],
  [
    "dasalvager -partition a -volumeid 5 -forceDAFS -f",
    "salvager --logfile /var/log/openafs/SalvageLog --orphans ignore --partition /vicepa --volumeid 5 --force",
  ],
  [
    "dasalvager initcmd -partition /vicepb -nowrite -orphans attach -salv",
    "salvager --logfile /var/log/openafs/SalvageLog --partition /vicepb --nowrite --orphans attach --salvagedirs",
  ],
]

for (const [typed, becomes] of translations) {
  test(`launchers: ${typed}`, (t) => {
    const [name = "", ...words] = typed.split(" ")
    t.is(launchWords(name, words)?.join(" "), becomes)
  })
}

/** What is refused, with the status that OpenAFS's program has for wrong usage. */
const refusals: readonly (readonly [string, number, RegExp])[] = [
  [
    "dafileserver -nonsense",
    255,
    /^dafileserver: Unrecognized or ambiguous switch '-nonsense'; type 'dafileserver -help'/,
  ],
  ["dafileserver -vlru 5", 255, /ambiguous switch '-vlru'/],
  ["dafileserver nonsense", 255, /'nonsense'/],
  ["dafileserver -readonly", 255, /-readonly is not supported/],
  ["dafileserver -implicit rlidwka", 255, /-implicit is not supported/],
  ["davolserver -p", 1, /-p wants a value/],
  ["davolserver -restricted_query admin", 1, /not supported/],
  ["dasalvager -inodes", 6, /not supported/],
  ["bosserver", 2, /one of dafileserver, davolserver, salvageserver, dasalvager/],
]

for (const [typed, status, message] of refusals) {
  test(`launchers: ${typed} is refused with status ${status}`, (t) => {
    const [name = "", ...words] = typed.split(" ")
    const error = t.throws(() => launchWords(name, words), { instanceOf: LaunchError, message })
    t.is(error?.status, status)
  })
}

test("launchers: -help names every switch that is understood, and none that is refused", (t) => {
  for (const name of openafsPrograms) t.is(launchWords(name, ["-help"]), undefined)
  t.regex(usageOf("dafileserver"), /^Usage: dafileserver .*\[-vlruthresh <value>\].*\[-help\]\n$/)
  t.notRegex(usageOf("dafileserver"), /readonly/)
})

test("launchers: installed, they are programs that run ours, and can be installed again over themselves", async (t) => {
  const folder = join(temporaryDirectory(t), "it's here", "lib")
  for (let round = 0; round < 2; round++) {
    const { status, stdout } = await runDafs(["install-launchers", folder, "--json"])
    t.is(status, 0)
    t.deepEqual(
      JSON.parse(stdout).paths,
      openafsPrograms.map((name) => join(folder, name)),
    )
  }
  for (const name of openafsPrograms) accessSync(join(folder, name), constants.X_OK)
  t.regex(readFileSync(join(folder, "dafileserver"), "utf8"), /^#!\/bin\/sh\n/)
  const help = await runProgram(join(folder, "dafileserver"), ["-help"])
  t.is(help.status, 0)
  t.regex(help.stdout, /^Usage: dafileserver/)
  const wrong = await runProgram(join(folder, "dasalvager"), ["-nonsense"])
  t.is(wrong.status, 6)
  t.regex(wrong.stderr, /^dasalvager: Unrecognized or ambiguous switch/)
})
