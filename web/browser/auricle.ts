/** A real server, as `auricle serve` starts it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from './clip.js';

export const API_KEY = 'let-me-in';

const PYTHON = process.env['AURICLE_TEST_PYTHON'] ?? `${ROOT}/.venv/bin/python`;
const START_LIMIT_MILLISECONDS = 150_000;
const STOP_LIMIT_MILLISECONDS = 10_000;

/** A server that runs. */
export class Auricle {
	readonly port: number;
	readonly #process: ChildProcess;

	private constructor(process: ChildProcess, port: number) {
		this.#process = process;
		this.port = port;
	}

	/** Starts one on a port of its own; it is ready when this resolves. */
	static async start(): Promise<Auricle> {
		const isOurs = (name: string): boolean => name.startsWith('AURICLE_') || name === 'FORCE_COLOR';
		const kept = Object.entries(process.env).filter(([name]) => !isOurs(name));
		const child = spawn(PYTHON, ['-m', 'auricle', 'serve'], {
			cwd: ROOT,
			stdio: ['ignore', 'pipe', 'inherit'],
			env: {
				...Object.fromEntries(kept),
				PYTHONUNBUFFERED: '1',
				COLUMNS: '200',
				NO_COLOR: '1',
				AURICLE_PORT: '0',
				AURICLE_API_KEYS: `browser:${API_KEY}`,
				AURICLE_WORKERS: '1',
				AURICLE_LOG_LEVEL: 'error',
				AURICLE_CACHE_DIR: `${ROOT}/.cache/auricle`,
			},
		});
		try {
			return new Auricle(child, await portOf(child));
		} catch (error) {
			child.kill('SIGKILL');
			throw error;
		}
	}

	/** Stops it, kindly first. */
	async stop(): Promise<void> {
		if (this.#process.exitCode !== null) {
			return;
		}
		const gone = once(this.#process, 'exit');
		this.#process.kill('SIGTERM');
		const late = sleep(STOP_LIMIT_MILLISECONDS, 'late', { ref: false });
		if ((await Promise.race([gone, late])) === 'late') {
			this.#process.kill('SIGKILL');
			await gone;
		}
	}
}

/** Waits for the server's word that it is ready. */
function portOf(child: ChildProcess): Promise<number> {
	return new Promise((resolve, reject) => {
		let said = '';
		const fail = (): void => reject(new Error(`the server did not start:\n${said}`));
		const late = setTimeout(fail, START_LIMIT_MILLISECONDS);
		child.once('exit', fail);
		child.stdout?.setEncoding('utf8').on('data', (text: string) => {
			said += text;
			const port = /serves on http:\/\/[^:]+:(\d+)[^]*Ready after/.exec(said)?.[1];
			if (port !== undefined) {
				clearTimeout(late);
				resolve(Number(port));
			}
		});
	});
}
