/** The worker: encoder and WebSocket, separate from the page, so that a busy page does not interrupt the audio. */

import { Driver } from './driver.js';
import { AuricleError } from './errors.js';
import { ClientSession } from './client-session.js';
import type { Begin, FromWorker, FromWorklet, ToWorker } from './messages.js';
import { OpusEncoder } from './opus-encoder.js';
import { streamUrl } from './parameters.js';
import { Uplink } from './uplink.js';

/** Maximum wait for a worklet's last audio. */
const LAST_SOUND_MILLISECONDS = 500;

/** All but the first message. */
type Later = Exclude<ToWorker, Begin>;

// The parts of this scope that we use; TypeScript's library for it conflicts with the page's.
const scope = globalThis as unknown as {
	onmessage: (event: MessageEvent<ToWorker>) => void;
	postMessage(message: FromWorker): void;
};

let stream: Stream | null = null;
const early: Later[] = []; // messages that arrived during the search for an encoder

scope.onmessage = ({ data }) => {
	if (data.kind === 'begin') {
		void begin(data);
	} else if (stream === null) {
		early.push(data);
	} else {
		stream.take(data);
	}
};

async function begin(options: Begin): Promise<void> {
	try {
		const format = options.format === 'opus' && (await OpusEncoder.isSupported()) ? 'opus' : 'pcm16';
		stream = new Stream(options, new ClientSession(options.parameters, format, options.rules));
		for (const message of early.splice(0)) {
			stream.take(message);
		}
	} catch (error) {
		fail(error);
	}
}

function fail(error: unknown): void {
	const code = error instanceof AuricleError ? error.code : 'internal';
	const message = error instanceof Error ? error.message : String(error);
	scope.postMessage({ kind: 'failed', code, message });
}

/** A session with its audio path and its driver. */
class Stream {
	readonly #session: ClientSession;
	readonly #driver: Driver;
	readonly #uplink: Uplink;
	#port: MessagePort | null = null;
	#onSilence: (() => void) | null = null; // called after the port's last audio
	#onKey: ((key: string | null) => void) | null = null;

	constructor(options: Begin, session: ClientSession) {
		this.#session = session;
		this.#driver = new Driver(session, {
			url: streamUrl(options.url),
			apiKey: options.apiKey === null ? () => this.#askForKey() : options.apiKey,
			onEvent: event => scope.postMessage({ kind: 'event', event }),
			onEnd: failure => {
				if (failure === null) {
					scope.postMessage({ kind: 'over' });
				} else {
					fail(failure);
				}
			},
		});
		let kept = 0;
		this.#uplink = new Uplink(session, () => {
			this.#driver.turn();
			const seconds = Math.floor(session.keptSeconds);
			if (seconds !== kept) {
				kept = seconds;
				scope.postMessage({ kind: 'kept', seconds });
			}
		});
		this.#driver.turn();
	}

	take(message: Later): void {
		switch (message.kind) {
			case 'listen':
				this.#listen(message.port, message.rateHz);
				break;
			case 'push':
				this.#uplink.push(message.samples, message.rateHz);
				break;
			case 'key':
				this.#onKey?.(message.key);
				break;
			case 'finalize':
				this.#session.finalize();
				break;
			case 'configure':
				this.#session.configure(message.change);
				break;
			case 'finish':
				void this.#finish();
		}
		this.#driver.turn();
	}

	#listen(port: MessagePort, rateHz: number): void {
		this.#port?.close();
		this.#port = port;
		port.onmessage = ({ data }: MessageEvent<FromWorklet>) => {
			if (data !== null) {
				this.#uplink.push(data, rateHz);
			} else if (this.#port === port) {
				this.#port = null;
				port.close();
				this.#onSilence?.();
			}
		};
	}

	async #finish(): Promise<void> {
		if (this.#port !== null) {
			await new Promise<void>(resolve => {
				this.#onSilence = resolve;
				setTimeout(resolve, LAST_SOUND_MILLISECONDS);
			});
		}
		await this.#uplink.finish();
	}

	#askForKey(): Promise<string> {
		return new Promise((resolve, reject) => {
			this.#onKey = key => {
				if (key === null) {
					reject(new Error('the page has no key'));
				} else {
					resolve(key);
				}
			};
			scope.postMessage({ kind: 'key' });
		});
	}
}
