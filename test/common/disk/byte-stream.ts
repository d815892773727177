import { execFileSync, spawn } from "node:child_process"
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import test from "ava"
import type { ByteSource } from "../../../common/disk/byte-stream.ts"
import { DiskError } from "../../../common/disk/disk.ts"
import { openByteSink, openByteSource } from "../../../common/disk/node-disk.ts"
import { temporaryDirectory } from "../../support/temporary-directory.ts"

function readAll(source: ByteSource): Buffer {
  const pieces: Buffer[] = []
  for (;;) {
    const piece = Buffer.alloc(7)
    const count = source.read(piece)
    if (count === 0) return Buffer.concat(pieces)
    pieces.push(piece.subarray(0, count))
  }
}

test("byte stream: a file comes in pieces, to its end, and tells its size", (t) => {
  const file = join(temporaryDirectory(t), "file")
  writeFileSync(file, "a stream of bytes")
  using source = openByteSource(file)
  t.is(source.size, 17)
  t.is(readAll(source).toString(), "a stream of bytes")
})

test("byte stream: a pipe has no size and is read as it comes", (t) => {
  const pipe = join(temporaryDirectory(t), "pipe")
  execFileSync("mkfifo", [pipe])
  const writer = spawn("head", ["-c", "100000", "/dev/zero"], { stdio: ["ignore", openSync(pipe, "r+"), "ignore"] })
  t.teardown(() => writer.kill())
  using source = openByteSource(pipe)
  t.is(source.size, undefined)
  const piece = Buffer.alloc(100_000)
  let got = 0
  while (got < piece.length) got += source.read(piece.subarray(got))
  t.is(got, 100_000)
})

test("byte stream: a file that is not there is an error that names it", (t) => {
  const file = join(temporaryDirectory(t), "none")
  t.regex(t.throws(() => openByteSource(file), { instanceOf: DiskError }).message, /none/)
})

test("byte stream: a folder is refused when it is read, with the place", (t) => {
  using source = openByteSource(temporaryDirectory(t))
  t.is(t.throws(() => source.read(Buffer.alloc(1)), { instanceOf: DiskError }).code, "EISDIR")
})

test("byte stream: a written file has its name only when it is complete", (t) => {
  const folder = temporaryDirectory(t)
  const file = join(folder, "file")
  using sink = openByteSink(file)
  sink.write(Buffer.from("one "))
  t.false(existsSync(file))
  sink.write(Buffer.from("two"))
  sink.finish()
  t.is(readFileSync(file, "utf8"), "one two")
  t.deepEqual(readdirSync(folder), ["file"])
})

// `vos dump` writes over the last good dump while it goes, and a failure leaves neither.
test("byte stream: a file that is not finished leaves an older one of its name alone, and nothing else behind", (t) => {
  const folder = temporaryDirectory(t)
  const file = join(folder, "file")
  writeFileSync(file, "the last good one")
  {
    using sink = openByteSink(file)
    sink.write(Buffer.from("half"))
  }
  t.is(readFileSync(file, "utf8"), "the last good one")
  t.deepEqual(readdirSync(folder), ["file"])
})

test("byte stream: what is no regular file is written to as it is", (t) => {
  using sink = openByteSink("/dev/null")
  sink.write(Buffer.alloc(10))
  sink.finish()
  t.true(existsSync("/dev/null"))
})

test("byte stream: a folder that cannot be written to is an error at once", (t) => {
  const folder = join(temporaryDirectory(t), "folder")
  mkdirSync(folder)
  t.is(t.throws(() => openByteSink(folder), { instanceOf: DiskError }).code, "EISDIR")
  t.is(t.throws(() => openByteSink(join(folder, "none", "file")), { instanceOf: DiskError }).code, "ENOENT")
})
