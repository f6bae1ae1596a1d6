// SPDX-License-Identifier: MIT
// Holds manifests against the types and validators that kubernetes-models makes
// of the OpenAPI schema of Kubernetes.  The compiler finds fields that do not
// exist, the validators wrong values.
//
// usage: node check.mjs MODULES FILE...     one line a fault; 1 when there is one
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { execFileSync } from "node:child_process";
import { pathToFileURL } from "node:url";

const modules = path.resolve(process.argv[2]);
const require = createRequire(path.join(modules, "x.js"));
const yaml = require("js-yaml");
let faults = 0;

function fault(file, text) {
	console.log(`${file}: ${text}`);
	faults++;
}

// "apps/v1" and "v1" as kubernetes-models names its folders.
function folder(apiVersion) {
	const [group, version] = apiVersion.includes("/")
		? apiVersion.split("/") : ["", apiVersion];
	return group === "" ? version : `${group}/${version}`;
}

async function validate(file, object) {
	const at = path.join(modules, "kubernetes-models",
	    folder(object.apiVersion), `${object.kind}.js`);
	if (!fs.existsSync(at)) {
		fault(file, `${object.apiVersion} ${object.kind}: no such kind`);
		return null;
	}
	const model = (await import(pathToFileURL(at)))[object.kind];
	try {
		new model(object).validate();
	} catch (e) {
		fault(file, `${object.kind}: ${e.message.split("\n").join(" ")}`);
	}
	return `kubernetes-models/${folder(object.apiVersion)}/${object.kind}`;
}

const lines = [];
const files = process.argv.slice(3);
for (const file of files) {
	const text = fs.readFileSync(file, "utf8");
	for (const object of yaml.loadAll(text)) {
		if (object.apiVersion.startsWith("kustomize."))
			continue;
		const name = await validate(file, object);
		if (name === null)
			continue;
		const n = lines.length;
		lines.push(`import { I${object.kind} as T${n} } from "${name}"; ` +
		    `export const v${n}: T${n} = ${JSON.stringify(object)};`);
	}
}
const source = path.join(modules, "..", "manifests.ts");
fs.writeFileSync(source, lines.join("\n") + "\n");
try {
	execFileSync(process.execPath, [
		path.join(modules, "typescript/bin/tsc"), "--noEmit", "--strict",
		"--skipLibCheck", "--module", "nodenext", "--moduleResolution",
		"nodenext", source], { cwd: path.dirname(source), encoding: "utf8" });
} catch (e) {
	fault(files.join(" "), String(e.stdout || e.message).slice(0, 2000));
}
console.log(`${lines.length} objects`);
process.exit(faults > 0 ? 1 : 0);
