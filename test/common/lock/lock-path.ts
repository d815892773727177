import test from "ava"
import { headerLockPath, salvageLockPath, volumeLockPath } from "../../../common/lock/lock-path.ts"

test("lock paths: locks are where OpenAFS's programs look for them", (t) => {
  t.is(volumeLockPath({ path: "/vicepa" }), "/vicepa/.volume.lock")
  t.is(headerLockPath({ path: "/vicepa" }), "/vicepa/.volheaders.lock")
  t.is(salvageLockPath("/var/lib/openafs/local"), "/var/lib/openafs/local/salvage.lock")
})
