import { writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import { isOwnTicket, principalName, readLocalRealms } from "../../../common/cell/local-realms.ts"
import { nodeDisk } from "../../../common/disk/node-disk.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

const user = (name: string, cell: string, instance = "") => ({ name, instance, cell, expires: 2e9 })

test("local realms: the cell's own name in any case is local, and no name at all", (t) => {
  const realms = readLocalRealms(temporaryDirectory(t), "test.cell", nodeDisk)
  t.is(principalName(user("ann", ""), realms), "ann")
  t.is(principalName(user("ann", "TEST.CELL", "admin"), realms), "ann.admin")
  t.is(principalName(user("ann", "OTHER.CELL"), realms), "ann@OTHER.CELL")
})

test("local realms: krb.conf adds realms, krb.excl takes single people out again", (t) => {
  const directory = temporaryDirectory(t)
  writeFileSync(join(directory, "krb.conf"), "FIRST.REALM second.realm\nTHIRD.REALM\n")
  writeFileSync(join(directory, "krb.excl"), "eve@FIRST.REALM\n")
  const realms = readLocalRealms(directory, "test.cell", nodeDisk)
  t.is(principalName(user("ann", "First.Realm"), realms), "ann")
  t.is(principalName(user("ann", "SECOND.REALM"), realms), "ann")
  t.is(principalName(user("ann", "THIRD.REALM"), realms), "ann@THIRD.REALM")
  t.is(principalName(user("eve", "FIRST.REALM"), realms), "eve@FIRST.REALM")
  t.is(principalName(user("eve", "first.realm"), realms), "eve")
})

test("local realms: the cell's own ticket is afs without instance and cell", (t) => {
  t.true(isOwnTicket(user("afs", "")))
  t.false(isOwnTicket(user("afs", "test.cell")))
  t.false(isOwnTicket(user("afs", "", "x")))
  t.false(isOwnTicket(user("ann", "")))
})
