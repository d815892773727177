#!/usr/bin/env node
/**
 * The one command. `npm run build` also leaves it packed into one file (packing/), which starts in a fraction of the time; its
 * modules run where it does not.
 */
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"

const packed = fileURLToPath(new URL("../packed/dafs.cjs", import.meta.url))
if (existsSync(packed)) createRequire(packed)(packed)
else await import("./command-line.ts")
