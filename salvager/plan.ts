/**
 * The plan of one group: all passes, in order, over a model in memory. Reads only; whatever goes wrong, nothing has changed.
 */
import { AfsError } from "../common/error.ts"
import { InodeStore } from "../common/partition/inode-store.ts"
import { dataFolder } from "../common/partition/namei-path.ts"
import { vnodeTypes } from "../common/vnode/vnode-record.ts"
import type { Finding, Severity } from "./finding.ts"
import { GroupModel, type PlanOptions, type PlanProgress } from "./model.ts"
import { planContents } from "./passes/contents.ts"
import { readDirectoriesAhead, readTrees } from "./passes/directories.ts"
import { checkDrafts, decideFates } from "./passes/fates.ts"
import { returnForeignRecords } from "./passes/foreign-records.ts"
import { checkHeaders, matchHeaders } from "./passes/headers.ts"
import { beginInodes, endInodes, reportStrangers } from "./passes/inodes.ts"
import { planLinks } from "./passes/link-counts.ts"
import { checkAccessLists, leftoverOf } from "./passes/lost-records.ts"
import { settleOrphans } from "./passes/orphans.ts"
import { checkRecords } from "./passes/records.ts"
import { planSummary } from "./passes/summary.ts"
import { settleTree } from "./passes/tree.ts"
import { checkSpecialFiles, matchRecords, readIndexes } from "./passes/vnode-indexes.ts"
import { checkInfos, readInfos } from "./passes/volume-info.ts"
import { PathFinder } from "./paths.ts"
import type { Survey } from "./survey.ts"

/** What a group is found to be, and what is to be done. */
export interface GroupPlan {
  readonly model: GroupModel
  /** Without their paths where there are very many; see Findings. */
  readonly findings: readonly Finding[]
  readonly counts: Readonly<Record<Severity, number>>
}

/**
 * Looks at everything in a group. The caller holds the locks of all its volumes (or only wants to know).
 * @throws DiskError if something cannot be read
 */
export function planGroup(
  survey: Survey,
  group: number,
  options: PlanOptions,
  progress: PlanProgress = () => undefined,
): GroupPlan {
  const model = new GroupModel(survey, new InodeStore(survey.partition, group), progress)
  model.enter("scan")
  const scan = beginInodes(model, options.threads)
  readIndexes(model)
  if (scan.isShared) readDirectoriesAhead(model)
  endInodes(model, scan)
  if (!model.hasFolder) requireData(survey)
  matchHeaders(model)
  if (checkDrafts(model)) {
    reportStrangers(model)
    return concluded(model)
  }
  readInfos(model)
  model.enter("records")
  matchRecords(model)
  decideFates(model)
  noteEmptyGroup(model)
  checkHeaders(model)
  checkSpecialFiles(model)
  checkInfos(model)
  returnForeignRecords(model, "large")
  checkRecords(model)
  model.enter("directories")
  readTrees(model, options)
  reportStrangers(model)
  checkAccessLists(model)
  noteGarbage(model)
  model.enter("tree")
  for (const volume of model.kept) {
    settleTree(model, volume)
    settleOrphans(model, volume, options)
    planContents(model, volume, options)
  }
  model.enter("counts")
  planLinks(model)
  for (const volume of model.kept) planSummary(model, volume, options)
  return concluded(model)
}

/** A partition of which only header files are there is more likely not mounted than empty: they are left alone. */
function requireData({ partition }: Survey): void {
  const path = `${partition.path}/${dataFolder}`
  if (partition.disk.stat(path)?.isDirectory === true) return
  throw new AfsError("ENOENT", "salvage", { path }, { detail: "the partition has no data: is it mounted?" })
}

/** Records on disk that say nothing, or whose data files are gone, and that were not rebuilt. */
function noteGarbage(model: GroupModel): void {
  for (const volume of model.kept)
    for (const vnode of volume.garbage) {
      const left = leftoverOf(volume, vnode)
      const subject = { volume: volume.id, vnode }
      if (left === undefined || left.type === vnodeTypes.free) model.findings.add("vnode-garbage", subject)
      else model.findings.add("vnode-data-missing", { ...subject, unique: left.uniquifier })
    }
}

function noteEmptyGroup(model: GroupModel): void {
  if (model.hasFolder && model.volumes.length === 0 && model.files.found === 0)
    model.findings.add("group-empty", { file: model.store.root })
}

function concluded(model: GroupModel): GroupPlan {
  const paths = new PathFinder(model)
  const findings = model.findings.list((volume, vnode) => paths.pathOf(volume, vnode))
  return { model, findings, counts: model.findings.counts() }
}
