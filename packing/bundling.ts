/**
 * One file out of a program's modules and the packages that are plain JavaScript, by esbuild. What modules ask of their place
 * (`import.meta.url`) stays what it was: the address of the module in the build folder.
 */
import { readFile } from "node:fs/promises"
import { join, relative } from "node:path"
import { type BuildOptions, build, type OnLoadResult, type Plugin } from "esbuild"

/** Programs that are started by the address of their module, `new URL("./scan-thread.js", import.meta.url)`. */
export interface Programs {
  /** Module, relative to the build folder, to its starter's file. */
  readonly [module: string]: string
}

/** Packages with parts of their own that are not JavaScript. */
const external = ["fs-ext", "koffi", "msgpackr-extract"]

/** Parts of Node.js that take long to load and that few runs use: loaded at their first use. */
const deferred = /^node:(child_process|crypto|dgram|net|worker_threads)$/

const programUrl = /new URL\("(\.\/[\w-]+\.js)", import\.meta\.url\)/g
const packageOfRequire = /createRequire\(import\.meta\.url\)\(("[^"]+")\)/g

/** Rewrites what a module says of its place. */
function atItsPlace(text: string, path: string, buildFolder: string, programs: Programs): string {
  const own = JSON.stringify(relative(buildFolder, path))
  return text
    .replace(packageOfRequire, "require($1)")
    .replace(programUrl, (whole, name: string) => {
      const starter = programs[relative(buildFolder, join(path, "..", name))]
      return starter === undefined ? whole : `new URL(${JSON.stringify(`packed/${starter}`)}, buildUrl)`
    })
    .replaceAll("import.meta.url", `new URL(${own}, buildUrl).href`)
}

const places = (buildFolder: string, programs: Programs): Plugin => ({
  name: "places",
  setup({ onLoad }) {
    onLoad({ filter: /\.m?js$/ }, async ({ path }): Promise<OnLoadResult | undefined> => {
      const text = await readFile(path, "utf8")
      if (!text.includes("import.meta.url")) return undefined
      return { contents: atItsPlace(text, path, buildFolder, programs), loader: "js" }
    })
  },
})

/** A module with the names of the real one, each a getter. */
function deferredModule(name: string): string {
  const names = Object.keys(process.getBuiltinModule(name) ?? {}).filter((key) => key !== "default")
  return [
    `let real`,
    `const load = () => real ??= require(${JSON.stringify(name)})`,
    `for (const name of ${JSON.stringify(names)})`,
    `  Object.defineProperty(exports, name, { enumerable: true, get: () => load()[name] })`,
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

/** Bundles `entry`, a module of the build folder or what `options` say. */
export async function bundle(
  buildFolder: string,
  programs: Programs,
  options: BuildOptions,
): Promise<{ readonly code: string; readonly map: string }> {
  const { outputFiles = [] } = await build({
    bundle: true,
    platform: "node",
    format: "cjs",
    target: `node20.19`,
    legalComments: "none",
    sourcemap: "external",
    sourcesContent: false,
    outfile: join(buildFolder, "packed", "code.js"),
    write: false,
    logLevel: "warning",
    external,
    plugins: [deferral, places(buildFolder, programs)],
    ...options,
  })
  const textOf = (ending: string): string => outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? ""
  return { code: textOf(".js"), map: textOf(".map") }
}
