// Copies files of the packages to where they are served or tested from, and says in VENDOR.json beside them what they
// are: `make vendor`.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const PACKAGES = join(import.meta.dirname, "node_modules");
// Folder -> files of packages.
const VENDORED = {
  "static/vendor/streaming-markdown": ["streaming-markdown/smd.min.js", "streaming-markdown/license"],
  "tests/browser/vendor": ["axe-core/axe.min.js", "axe-core/LICENSE"],
};

for (const [folder, files] of Object.entries(VENDORED)) {
  mkdirSync(join(ROOT, folder), { recursive: true });
  const list = files.map((file) => {
    const content = readFileSync(join(PACKAGES, file));
    const { name, version, license } = packageOf(file);
    writeFileSync(join(ROOT, folder, basename(file)), content);
    const sha256 = createHash("sha256").update(content).digest("hex");
    return { file: basename(file), package: name, version, licence: license, sha256 };
  });
  writeFileSync(join(ROOT, folder, "VENDOR.json"), `${JSON.stringify(list, null, 2)}\n`);
}

function packageOf(file) {
  const parts = file.split("/");
  const name = file.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0];
  return JSON.parse(readFileSync(join(PACKAGES, name, "package.json"), "utf-8"));
}
