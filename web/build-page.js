/**
 * Builds the pages that the server shows, into the Python package, and says what a visit costs.
 *
 * Styles go into the pages themselves, so that the first answer is enough to paint; the server's policy names their
 * hashes. Scripts, the worker and the worklet stay files.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

/** What the captions' page needs to work, at most: not what it loads on first use, such as recordings and the example. */
const MAX_GZIPPED_BYTES = 100_000;
const OUT = fileURLToPath(new URL('../src/auricle/apis/pages/static/', import.meta.url));
const page = name => fileURLToPath(new URL(`page/${name}.html`, import.meta.url));

/** Files of the captions' page, by the bundle. */
const needed = new Set(['index.html']);

/** Finds the files that the page imports, with those that its scripts name: the worker, the worklet, the icon. */
const filesNeeded = {
	name: 'files-needed',
	generateBundle(_, bundle) {
		const add = name => {
			if (!needed.has(name)) {
				needed.add(name);
				bundle[name]?.imports?.forEach(add);
			}
		};
		for (const { fileName, name, isEntry } of Object.values(bundle)) {
			if ((isEntry && name === 'index') || /^assets\/(worker|worklet|icon)-/.test(fileName)) {
				add(fileName);
			}
		}
	},
};

const stylesWithin = {
	name: 'styles-within',
	enforce: 'post',
	generateBundle(_, bundle) {
		const used = new Set();
		for (const { fileName, source } of Object.values(bundle)) {
			if (fileName.endsWith('.html')) {
				bundle[fileName].source = source.replace(
					/<link rel="stylesheet"[^>]*href="\.\/(assets\/[^"]+)">/g,
					(_, name) => {
						used.add(name);
						return `<style>${bundle[name].source.trim()}</style>`;
					},
				);
			}
		}
		for (const name of used) {
			delete bundle[name];
		}
	},
};

await build({
	configFile: false,
	logLevel: 'warn',
	root: fileURLToPath(new URL('page/', import.meta.url)),
	base: './', // a proxy may give the pages a folder
	plugins: [filesNeeded, stylesWithin],
	worker: { format: 'es' },
	build: {
		target: 'es2022',
		outDir: OUT,
		emptyOutDir: true,
		assetsInlineLimit: 0,
		modulePreload: { polyfill: false },
		rolldownOptions: { input: { index: page('index'), status: page('status'), reader: page('reader') } },
	},
});

let total = 0;
for (const name of readdirSync(OUT, { recursive: true, withFileTypes: true }).filter(file => file.isFile())) {
	const path = `${name.parentPath}/${name.name}`;
	const gzipped = gzipSync(readFileSync(path), { level: 9 }).length;
	const file = path.slice(OUT.length).replace(/^\//, '');
	const isNeeded = needed.has(file);
	total += isNeeded ? gzipped : 0;
	console.log(`${file}: ${gzipped} bytes gzipped${isNeeded ? '' : ', on use'}`);
}
console.log(`captions page: ${total} of ${MAX_GZIPPED_BYTES} bytes`);
if (total >= MAX_GZIPPED_BYTES) {
	process.exitCode = 1;
	console.error('build: that is too much');
}
