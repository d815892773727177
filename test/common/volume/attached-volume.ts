import test from "ava"
import { attachedVolume, by, nameOf, newVnode, now } from "../../support/attached.ts"

test("attached volume: what was made, linked, renamed and removed is there after it was attached again", async (t) => {
  const home = await attachedVolume(t, { old: "old content", sub: { folder: { deep: "deep" } } })
  const { root, volume } = home
  home.put(root, "new", "new content")
  const made = volume.makeDirectory(root, nameOf("made"), newVnode({ mode: 0o755 }))
  home.put(made, "inner", "inner content")
  volume.makeSymlink(root, nameOf("link"), nameOf("made/inner"), newVnode({ mode: 0o755 }))
  volume.makeLink(root, nameOf("second"), home.at("old"), by)
  volume.rename(root, nameOf("new"), home.at("sub"), nameOf("moved"), by)
  volume.removeFile(home.at("sub"), nameOf("deep"), by)
  home.reopen()
  t.is(home.text(home.at("sub/moved")), "new content")
  t.is(home.text(home.at("made/inner")), "inner content")
  t.is(home.text(home.at("link")), "made/inner")
  t.is(home.at("second"), home.at("old"))
  t.is(home.at("old").record.linkCount, 2)
  t.is(home.root.record.linkCount, 4)
  t.is(home.root.record.serverModifyTime, now)
  t.throws(() => home.at("sub/deep"))
  t.throws(() => home.at("new"))
})

test("attached volume: data comes at once or soon, the same bytes as any read, up to the end of the file", async (t) => {
  const home = await attachedVolume(t, { file: "some content", sub: { folder: {} } })
  for (const path of ["file", "sub"]) {
    using data = home.volume.openData(home.at(path))
    const [now, soon] = [new Uint8Array(4096), new Uint8Array(4096)]
    for (const position of [0, 5, Math.max(0, data.length - 3), data.length, data.length + 9]) {
      const count = data.read(now, position)
      t.is(await data.readSoon(soon, position), count)
      t.deepEqual(soon.subarray(0, count), now.subarray(0, count))
      t.is(count, Math.max(0, Math.min(4096, data.length - position)))
    }
  }
})
