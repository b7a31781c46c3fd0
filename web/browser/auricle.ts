/** A real server, as `auricle serve` starts it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from './clip.js';

export const API_KEY = 'let-me-in';
/** Keys of one test each: no session of another's waits for them. */
export const OTHER_KEY = 'me-too';
export const THIRD_KEY = 'me-three';
/** The key whose vocabularies tests change. */
export const WORDS_KEY = 'my-words';
/** As no WebSocket's subprotocol may be called. */
export const UNUSUAL_KEY = 'Schlüssel/5';
/** Shows stacks. */
export const OPERATOR_KEY = 'let-me-see';

const PYTHON = process.env['AURICLE_TEST_PYTHON'] ?? `${ROOT}/.venv/bin/python`;
const START_LIMIT_MILLISECONDS = 150_000;
const STOP_LIMIT_MILLISECONDS = 10_000;
/** Enough for those that wait in vain for pages of tests before to come back. */
const MAX_SESSIONS = 16;

/** A worker process, as `/health` tells of it. */
export interface WorkerHealth {
	readonly pid: number | null;
	readonly state: string;
	readonly restarts: number;
}

/** A server that takes no more live sessions. */
export interface Full {
	/** What it says to the next. */
	readonly status: number | undefined;
	readonly retryAfterSeconds: number;
	/** Makes room. */
	leave(): void;
}

const STATES = mkdtempSync(join(tmpdir(), 'auricle-browser-'));
process.on('exit', () => rmSync(STATES, { recursive: true, force: true }));

/** Creates a folder for a server's state, which goes with the tests of this process. */
export const stateFolder = (): string => mkdtempSync(join(STATES, 'state-'));

/** Variables of its environment beside or in the place of those of all tests. */
export type Settings = Readonly<Record<string, string>>;

/** A server that runs. */
export class Auricle {
	readonly port: number;
	#process: ChildProcess;
	readonly #settings: Settings;

	private constructor(process: ChildProcess, port: number, settings: Settings) {
		this.#process = process;
		this.port = port;
		this.#settings = settings;
	}

	/** Starts one on a port of its own; it is ready when this resolves. */
	static async start(settings: Settings = {}): Promise<Auricle> {
		const all = { AURICLE_STATE_DIR: stateFolder(), ...settings };
		return new Auricle(...(await launch(0, all)), all);
	}

	/** Stops it kindly, and starts another in its place; `whileGone` is called in between. */
	async restart(whileGone: () => void = () => undefined): Promise<void> {
		await this.stop();
		whileGone();
		[this.#process] = await launch(this.port, this.#settings);
	}

	/** Kills it. */
	async kill(): Promise<void> {
		const gone = once(this.#process, 'exit');
		this.#process.kill('SIGKILL');
		await gone;
	}

	/** Stops it, kindly first. */
	async stop(): Promise<void> {
		if (this.#process.exitCode !== null || this.#process.signalCode !== null) {
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

	/** Returns its first worker, which is its only one as a rule. */
	async worker(): Promise<WorkerHealth> {
		const answer = await fetch(`http://127.0.0.1:${this.port}/health`);
		const { workers } = (await answer.json()) as { workers: WorkerHealth[] };
		const [worker] = workers;
		if (worker === undefined) throw new Error('there is no worker');
		return worker;
	}

	/** Kills that worker. */
	async killWorker(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
		const { pid } = await this.worker();
		if (pid === null) throw new Error('the worker does not run');
		process.kill(pid, signal);
	}

	/** Restarts that worker, and stops it before it is ready; returns a function that lets it continue. */
	async holdStart(): Promise<() => void> {
		for (;;) {
			const { pid, state } = await this.worker();
			const isHeld = signal(pid, state === 'starting' ? 'SIGSTOP' : 'SIGKILL');
			await sleep(100); // what it sent before arrives
			const now = await this.worker();
			if (isHeld && now.pid === pid && now.state === 'starting') {
				return () => void signal(pid, 'SIGCONT');
			}
		}
	}

	/** Stops each of its workers for a while, also those that replace a stopped one. */
	async hangWorkers(milliseconds: number): Promise<void> {
		const until = Date.now() + milliseconds;
		while (Date.now() < until) {
			const { pid, state } = await this.worker();
			if (state !== 'starting') signal(pid, 'SIGSTOP');
			await sleep(200);
		}
	}

	/** Opens live sessions until it takes no more. */
	async fill(): Promise<Full> {
		const open: Socket[] = [];
		for (;;) {
			const found = await this.#enter();
			if (!(found instanceof Socket)) {
				return {
					status: found.statusCode,
					retryAfterSeconds: Number(found.headers['retry-after']),
					leave: () => open.forEach(socket => socket.destroy()),
				};
			}
			open.push(found);
		}
	}

	/** Returns the connection of a live session, or why there is none. */
	#enter(): Promise<Socket | IncomingMessage> {
		return new Promise((resolve, reject) => {
			const headers = {
				Authorization: `Bearer ${API_KEY}`,
				Connection: 'Upgrade',
				Upgrade: 'websocket',
				'Sec-WebSocket-Version': '13',
				'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
			};
			request({ port: this.port, host: '127.0.0.1', path: '/v1/stream?format=pcm16', headers })
				.on('upgrade', (_, socket: Socket) => resolve(socket.on('error', () => undefined)))
				.on('response', answer => resolve(answer.resume()))
				.on('error', reject)
				.end();
		});
	}
}

async function launch(port: number, settings: Settings): Promise<[ChildProcess, number]> {
	const isOurs = (name: string): boolean => name.startsWith('AURICLE_') || name === 'FORCE_COLOR';
	const kept = Object.entries(process.env).filter(([name]) => !isOurs(name));
	const module = 'BENCH_FIXED_VALUES' in settings ? 'bench.lib.fixed_values' : 'auricle';
	const child = spawn(PYTHON, ['-m', module, 'serve'], {
		cwd: ROOT,
		stdio: ['ignore', 'ignore', 'pipe'],
		env: {
			...Object.fromEntries(kept),
			PYTHONUNBUFFERED: '1',
			COLUMNS: '200',
			NO_COLOR: '1',
			AURICLE_PORT: String(port),
			AURICLE_API_KEYS: `browser:${API_KEY},other:${OTHER_KEY},third:${THIRD_KEY},unusual:${UNUSUAL_KEY},words:${WORDS_KEY}`,
			AURICLE_WORKERS: '1',
			AURICLE_MAX_SESSIONS: String(MAX_SESSIONS),
			AURICLE_LIVE_SPEAKERS: '100', // a slow machine must not learn that it holds one or two
			AURICLE_QUEUE_AUDIO_S: '300',
			AURICLE_LOG_LEVEL: 'info',
			AURICLE_CACHE_DIR: `${ROOT}/.cache/auricle`,
			AURICLE_OPERATOR_KEY: OPERATOR_KEY,
			...settings,
		},
	});
	try {
		return [child, await portOf(child)];
	} catch (error) {
		child.kill('SIGKILL');
		throw error;
	}
}

/** Waits for the server's word that it is ready. */
function portOf(child: ChildProcess): Promise<number> {
	return new Promise((resolve, reject) => {
		let said = '';
		const fail = (): void => reject(new Error(`the server did not start:\n${said}`));
		const late = setTimeout(fail, START_LIMIT_MILLISECONDS);
		child.once('exit', fail);
		child.stderr?.setEncoding('utf8').on('data', (text: string) => {
			said += text;
			const port = /"url": "http:\/\/[^:]+:(\d+)"[^]*"event": "ready"/.exec(said)?.[1];
			if (port !== undefined) {
				clearTimeout(late);
				resolve(Number(port));
			}
		});
	});
}

/** Sends a signal; returns whether the process was there. */
function signal(pid: number | null, name: NodeJS.Signals): boolean {
	try {
		return pid !== null && process.kill(pid, name);
	} catch {
		return false; // it has just ended
	}
}
