/**
 * One file out of a program's modules and the packages that are plain JavaScript, by esbuild. What modules ask of their place
 * (`import.meta.url`) stays what it was: the address of the module in the build folder.
 */
import { readFile } from "node:fs/promises"
import { join, relative, resolve } from "node:path"
import { type BuildOptions, build, type OnLoadResult, type Plugin } from "esbuild"
import { starters } from "./programs.ts"

/** Where packed files are, in the build folder. */
export const packedName = "packed"

/** Packages with parts of their own that are not JavaScript. */
const external = ["koffi", "msgpackr-extract"]

/** What most commands need for help and errors only: in a file of its own, beside the code. */
export const yargsFile = "yargs.cjs"

/** Parts of Node.js that take long to load and that few runs use: loaded at their first use. */
const deferred = /^node:(child_process|crypto|dgram|net|perf_hooks|worker_threads)$/

/** Looks for its compiled part beside itself. */
const nativePackage = "/node_modules/fs-ext/"

const placeWords = /import\.meta\.url|\b__dirname\b/
const programUrl = /new URL\("(\.\/[\w-]+\.js)", import\.meta\.url\)/g
const packageOfRequire = /createRequire\(import\.meta\.url\)\(("[^"]+")\)/g

/** Rewrites what the module at `path` says of its place. Programs are started by their starters. */
function atItsPlace(text: string, path: string, buildFolder: string): string {
  const builtin = (name: string): string => `process.getBuiltinModule("node:${name}")` // some modules have a require of their own
  const pathCode = (place: string): string => `${builtin("path")}.join(packedFolder, ${JSON.stringify(place)})`
  const urlCode = (place: string): string => `${builtin("url")}.pathToFileURL(${pathCode(place)})`
  const own = relative(join(buildFolder, packedName), path)
  const programs: Readonly<Record<string, string>> = starters
  return text
    .replace(packageOfRequire, "require($1)")
    .replace(programUrl, (whole, name: string) => {
      const starter = programs[relative(buildFolder, join(path, "..", name))]
      return starter === undefined ? whole : urlCode(starter)
    })
    .replaceAll("import.meta.url", `${urlCode(own)}.href`)
    .replaceAll("__dirname", path.includes(nativePackage) ? pathCode(join(own, "..")) : "__dirname")
}

/**
 * What `using` is compiled to calls two functions, which every module has of its own. In packed code all share one pair, so that V8
 * warms it up, and optimizes it, once.
 */
const disposal = /^var __addDisposableResource = .*?^};\nvar __disposeResources = .*?^}\);\n/ms
const disposalNames = "{ __addDisposableResource, __disposeResources }"
const disposalModule = "disposal"

/** As many lines, so that the lines behind it are still what the module's source map says. */
const importInPlaceOf = (own: string): string =>
  `import ${disposalNames} from "${disposalModule}"${own.replace(/[^\n]/g, "")}`

const modules = (buildFolder: string): Plugin => ({
  name: "modules",
  setup({ onLoad, onResolve }) {
    let functions = ""
    onLoad({ filter: /\.[cm]?js$/ }, async ({ path }): Promise<OnLoadResult | undefined> => {
      const text = await readFile(path, "utf8")
      const own = disposal.exec(text)?.[0]
      if (own === undefined && !placeWords.test(text)) return undefined
      functions ||= own ?? ""
      const shared = own === functions ? text.replace(own, importInPlaceOf(own)) : text
      return { contents: atItsPlace(shared, path, buildFolder), loader: "js" }
    })
    onResolve({ filter: /^disposal$/ }, ({ path }) => ({ path, namespace: disposalModule }))
    onLoad({ filter: /./, namespace: disposalModule }, () => ({
      contents: `${functions}export ${disposalNames}`,
      loader: "js",
    }))
  },
})

/** A module with the names of the real one, each a getter. */
function deferredModule(name: string): string {
  const names = Object.keys(process.getBuiltinModule(name) ?? {}).filter((key) => key !== "default")
  return [
    "let real",
    `const load = () => real ??= require(${JSON.stringify(name)})`,
    `for (const name of ${JSON.stringify(names)})`,
    "  Object.defineProperty(exports, name, { enumerable: true, get: () => load()[name] })",
  ].join("\n")
}

const deferral: Plugin = {
  name: "deferral",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: deferred }, ({ path, namespace }) =>
      namespace === "deferred" ? { path, external: true } : { path, namespace: "deferred" },
    )
    onLoad({ filter: /./, namespace: "deferred" }, ({ path }) => ({ contents: deferredModule(path), loader: "js" }))
  },
}

/** yargs is loaded from its own file. */
export const yargsBeside: Plugin = {
  name: "yargs-beside",
  setup({ onResolve }) {
    onResolve({ filter: /^yargs$/ }, ({ kind }) =>
      kind === "dynamic-import" ? { path: `./${yargsFile}`, external: true } : undefined,
    )
  },
}

/** Leaves out what `from`, a module, loads when it is needed, other than the modules `but`. */
export const leavingOut = (from: string, but: readonly string[]): Plugin => ({
  name: "leaving-out",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^\.\.?\// }, ({ importer, kind, path, resolveDir }) => {
      const isOther = kind === "dynamic-import" && importer === from && !but.includes(join(resolveDir, path))
      return isOther ? { path, namespace: "left-out" } : undefined
    })
    onLoad({ filter: /./, namespace: "left-out" }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${path} is not packed with this command`)})`,
    }))
  },
})

/** The bundle of a module, named by its path in the build folder or a whole one, with its source map. */
export async function bundle(
  buildFolder: string,
  module: string,
  { plugins = [], ...options }: BuildOptions = {},
): Promise<{ readonly code: string; readonly map: string }> {
  const { outputFiles = [] } = await build({
    entryPoints: [resolve(buildFolder, module)],
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20.19",
    legalComments: "none",
    sourcemap: "external",
    sourcesContent: false,
    outfile: join(buildFolder, packedName, "code.js"),
    write: false,
    logLevel: "warning",
    external,
    plugins: [...plugins, deferral, modules(buildFolder)],
    ...options,
  })
  const textOf = (ending: string): string => outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? ""
  return { code: textOf(".js"), map: textOf(".map") }
}
