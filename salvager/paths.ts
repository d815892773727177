/** Path names of vnodes, as the plan will have them: for reports. */
import { nameFinder } from "./directory-image.ts"
import type { GroupModel, VolumeModel } from "./model.ts"
import { entriesOf, plannedDirectory, soundImageOf } from "./passes/edits.ts"
import { rootVnode } from "./passes/entry-accounts.ts"

/** Directories whose names are kept. */
const cachedMax = 32
/** Longer paths are of no use to anybody. */
const depthMax = 256

type FindName = (vnode: number) => string | undefined

export class PathFinder {
  readonly #group: GroupModel
  readonly #names = new Map<string, FindName>()

  constructor(group: GroupModel) {
    this.#group = group
  }

  /** `/home/bob/file`; undefined if no chain of directories leads there. */
  pathOf(volumeId: number, vnode: number): string | undefined {
    const volume = this.#group.volume(volumeId)
    if (volume === undefined) return undefined
    const words: string[] = []
    for (let at = vnode; at !== rootVnode; ) {
      const slot = volume.vnodes.find(at)
      const holder = slot < 0 ? 0 : volume.vnodes.holder(slot)
      const name = holder === 0 ? undefined : this.#namesIn(volume, holder)(at)
      if (name === undefined || words.length === depthMax) return undefined
      words.push(name)
      at = holder
    }
    return `/${words.reverse().join("/")}`
  }

  #namesIn(volume: VolumeModel, directory: number): FindName {
    const key = `${volume.id} ${directory}`
    const known = this.#names.get(key)
    if (known !== undefined) return known
    const [oldest] = this.#names.keys()
    if (this.#names.size >= cachedMax && oldest !== undefined) this.#names.delete(oldest)
    const find = this.#read(volume, directory)
    this.#names.set(key, find)
    return find
  }

  #read(volume: VolumeModel, directory: number): FindName {
    const isEdited = volume.edits.has(directory)
    const image = isEdited ? undefined : soundImageOf(this.#group, volume, directory)
    if (image !== undefined) return nameFinder(image)
    const entries = isEdited
      ? plannedDirectory(this.#group, volume, directory).entries
      : entriesOf(this.#group, volume, directory)
    const names = new Map(entries.map(({ vnode, name }) => [vnode, name.toString()]))
    return (vnode) => names.get(vnode)
  }
}
