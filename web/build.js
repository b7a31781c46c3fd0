/** Builds dist/: the module, its worker and its worklet, each a file of its own, and says how large they are. */

import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

/** What a page loads of us, at most. */
const MAX_GZIPPED_BYTES = 15_000;
const ENTRIES = ['index', 'worker', 'worklet'];

for (const name of ENTRIES) {
	await build({
		configFile: false,
		logLevel: 'warn',
		build: {
			target: 'es2022',
			outDir: 'dist',
			emptyOutDir: name === ENTRIES[0],
			lib: { entry: `src/${name}.ts`, formats: ['es'], fileName: () => `${name}.js` },
			rolldownOptions: { output: { minify: true } },
		},
	});
}

let total = 0;
for (const name of ENTRIES) {
	const gzipped = gzipSync(readFileSync(`dist/${name}.js`), { level: 9 }).length;
	total += gzipped;
	console.log(`${name}.js: ${gzipped} bytes gzipped`);
}
console.log(`together: ${total} of ${MAX_GZIPPED_BYTES} bytes`);
if (total >= MAX_GZIPPED_BYTES) {
	process.exitCode = 1;
	console.error('build: that is too much');
}
