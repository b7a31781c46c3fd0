/**
 * Builds dist/: the module for live streams, the whole module, the worker and the worklet, and says how large they are.
 */

import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

/** What a page loads of us, at most: for live streams only, and with everything. */
const MAX_GZIPPED_BYTES = { live: 15_600, whole: 21_000 };
const ENTRIES = ['live', 'index', 'worker', 'worklet'];
/** The whole module imports what the one for live streams exports, so that there is one class of each name. */
const LIVE_IS_APART = {
	name: 'live-is-apart',
	enforce: 'pre',
	resolveId: (source, importer) =>
		importer !== undefined && /\/(live|live-client|errors)\.js$/.test(source)
			? { id: './live.js', external: true }
			: null,
};

for (const name of ENTRIES) {
	await build({
		configFile: false,
		logLevel: 'warn',
		plugins: name === 'index' ? [LIVE_IS_APART] : [],
		build: {
			target: 'es2022',
			outDir: 'dist',
			emptyOutDir: name === ENTRIES[0],
			lib: { entry: `src/${name}.ts`, formats: ['es'], fileName: () => `${name}.js` },
			rolldownOptions: { output: { minify: true } },
		},
	});
}

const sizes = Object.fromEntries(
	ENTRIES.map(name => [name, gzipSync(readFileSync(`dist/${name}.js`), { level: 9 }).length]),
);
for (const [name, bytes] of Object.entries(sizes)) {
	console.log(`${name}.js: ${bytes} bytes gzipped`);
}
const live = sizes.live + sizes.worker + sizes.worklet;
for (const [name, bytes] of Object.entries({ live, whole: live + sizes.index })) {
	console.log(`${name}: ${bytes} of ${MAX_GZIPPED_BYTES[name]} bytes`);
	if (bytes >= MAX_GZIPPED_BYTES[name]) {
		process.exitCode = 1;
		console.error('build: that is too much');
	}
}
