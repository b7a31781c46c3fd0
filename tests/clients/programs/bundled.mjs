// Imports TypeScript of a checkout, with stand-ins for the modules of its host.
import { build } from 'esbuild';
import { mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, '..', 'node_modules');

/** Bundle the exports of a module in the folder of a checkout; `host` has the source of each of the host's modules. */
async function bundled(checkout, source, host) {
	const folder = mkdtempSync(join(here, 'bundle-'));
	const outfile = join(folder, 'program.mjs');
	const filter = new RegExp(`^(${Object.keys(host).join('|')})$`);
	try {
		await build({
			banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
			bundle: true,
			format: 'esm',
			logLevel: 'error',
			nodePaths: [modules],
			outfile,
			platform: 'node',
			plugins: [
				{
					name: 'host',
					setup(bundler) {
						bundler.onResolve({ filter }, ({ path }) => ({ path, namespace: 'host' }));
						bundler.onLoad({ filter: /./, namespace: 'host' }, ({ path }) => ({ contents: host[path] }));
					},
				},
			],
			stdin: { contents: source, loader: 'ts', resolveDir: checkout },
		});
		return await import(pathToFileURL(outfile));
	} finally {
		rmSync(folder, { recursive: true });
	}
}
