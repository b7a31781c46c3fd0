/** The part in the page: opens audio, emits events. Encoder and network are in the worker. */

import { SAMPLE_RATE_HZ } from './audio-format.js';
import { type ClientRules, DEFAULT_RULES } from './backoff.js';
import type { Format } from './conversation.js';
import { AuricleError } from './errors.js';
import { EventQueue } from './event-queue.js';
import type { Closed } from './events.js';
import type { SessionEvent } from './client-session.js';
import type { FromWorker, ToWorker } from './messages.js';
import {
	Capture,
	type MicrophoneOptions,
	openMicrophone,
	type PageState,
	type SourceEvent,
} from './microphone.js';
import { type Change, checkParameters, streamUrl, type StreamParameters } from './parameters.js';
import { checkRate } from './resampler.js';

/** Server, key and parameters of a stream. */
export interface LiveClientOptions extends StreamParameters {
	/** The server's base URL, such as `https://captions.example`; the page's origin if omitted. */
	readonly url?: string;
	/**
	 * The server's key, a short-lived token, or a function that returns a fresh one before each connection. It is sent as a
	 * WebSocket subprotocol, never in an address.
	 */
	readonly apiKey?: string | (() => string | Promise<string>);
	/** `pcm16` sends samples even where there is an Opus encoder: 256 kbit/s. */
	readonly format?: Format;
	/** Time limits. */
	readonly rules?: Partial<ClientRules>;
	/** Address of this package's `worker.js`, if not in this module's folder. Must have the page's origin. */
	readonly workerUrl?: string | URL;
	/** Address of this package's `worklet.js`, if not in this module's folder. */
	readonly workletUrl?: string | URL;
}

/** All events of a live stream. */
export type LiveEvent = SessionEvent | SourceEvent;

/** The event of a type. */
export type EventOf<T extends LiveEvent['type']> = Extract<LiveEvent, { readonly type: T }>;

type Listener = (event: LiveEvent) => void;

/**
 * A live stream: sends speech and receives captions, over as many connections as needed.
 *
 * ```ts
 * const client = new LiveClient({ language: 'en' });
 * client.on('partial', ({ stable, unstable }) => show(stable, unstable));
 * client.on('final', ({ text }) => keep(text));
 * await client.useMicrophone(); // in the handler of a click
 * …
 * await client.finish();
 * ```
 *
 * Or `for await (const event of client)`. Finals arrive once and in order, even after lost connections and server
 * restarts.
 */
export class LiveClient implements AsyncIterable<LiveEvent> {
	/** Resolves when all finals have arrived; rejects with an {@link AuricleError} if the stream ends early. */
	readonly closed: Promise<Closed>;

	#resolveClosed!: (closed: Closed) => void;
	#rejectClosed!: (error: AuricleError) => void;
	readonly #worker: Worker;
	readonly #workletUrl: URL;
	readonly #apiKey: LiveClientOptions['apiKey'];
	readonly #listeners = new Map<string, Set<Listener>>();
	readonly #queues = new Set<EventQueue<LiveEvent>>();
	#keptSeconds = 0;
	#capture: { readonly capture: Capture; readonly isOurs: boolean } | null = null;
	#turn = 0; // incremented with each request to listen or stop
	#lastClosed: Closed | null = null;
	#isFinished = false;
	#failure: AuricleError | null = null;
	#isEnded = false;

	/** @throws {@link AuricleError} `bad_parameters`: a parameter is invalid. `unsupported`. */
	constructor(options: LiveClientOptions = {}) {
		const { url = location.href, apiKey, format = 'opus', rules } = options;
		checkParameters(options);
		const base = options.url === undefined ? new URL(url).origin : url;
		streamUrl(base);
		if (typeof AudioWorkletNode === 'undefined' || typeof Worker === 'undefined') {
			throw new AuricleError(
				'unsupported',
				'This browser is too old, or the page was not loaded over https://.',
			);
		}
		this.closed = new Promise((resolve, reject) => {
			this.#resolveClosed = resolve;
			this.#rejectClosed = reject;
		});
		this.closed.catch(() => undefined); // if unused: the iterator reports errors, too
		this.#apiKey = apiKey;
		this.#workletUrl =
			options.workletUrl === undefined
				? new URL(/* @vite-ignore */ './worklet.js', import.meta.url)
				: new URL(options.workletUrl, location.href);
		this.#worker =
			options.workerUrl === undefined
				? new Worker(new URL(/* @vite-ignore */ './worker.js', import.meta.url), { type: 'module' })
				: new Worker(options.workerUrl, { type: 'module' });
		this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#take(data);
		this.#worker.onerror = ({ message }) => {
			this.#end(new AuricleError('unsupported', `The worker does not run: ${message || 'not found'}`));
		};
		document.addEventListener('visibilitychange', this.#onVisibility);
		this.#post({
			kind: 'begin',
			url: base,
			apiKey: typeof apiKey === 'function' ? null : apiKey,
			parameters: plain(options),
			rules: { ...DEFAULT_RULES, ...rules },
			format,
		});
	}

	/**
	 * Listens to a microphone instead of the current source.
	 *
	 * @throws {@link AuricleError} `microphone_denied`, `no_microphone`, `microphone_busy`, `unsupported`.
	 */
	async useMicrophone(options: MicrophoneOptions = {}): Promise<MediaStream> {
		this.#check();
		const turn = ++this.#turn;
		const media = await openMicrophone(options);
		await this.#use(media, true, turn);
		return media;
	}

	/**
	 * Listens to any stream with audio: a tab's, a call's. Its tracks stay the caller's.
	 *
	 * @throws {@link AuricleError} `no_microphone`: the stream has no audio. `unsupported`.
	 */
	async useStream(media: MediaStream): Promise<void> {
		this.#check();
		await this.#use(media, false, ++this.#turn);
	}

	/** Whole seconds of audio that are kept because its text has not arrived: a few while somebody speaks. */
	get keptSeconds(): number {
		return this.#keptSeconds;
	}

	/** Pauses: stops listening to the current source, until the next one. */
	async detach(): Promise<void> {
		this.#turn++;
		await this.#stopCapture();
	}

	async #stopCapture(): Promise<void> {
		const used = this.#capture;
		this.#capture = null;
		await used?.capture.stop(used.isOurs);
	}

	/**
	 * Sends samples from -1 to 1 from another source.
	 *
	 * @throws {@link AuricleError} `bad_parameters`: the sample rate is not supported.
	 */
	push(samples: Float32Array, sampleRate = SAMPLE_RATE_HZ): void {
		this.#check();
		checkRate(sampleRate); // here, so that the caller gets the error
		this.#post({ kind: 'push', samples, rateHz: sampleRate });
	}

	/** Requests the final of the speech so far, without waiting for silence. */
	finalize(): void {
		this.#check();
		this.#post({ kind: 'finalize' });
	}

	/** Changes the language, prompt or `endpointMilliseconds`, from the next utterance on. */
	configure(change: Change): void {
		this.#check();
		checkParameters(change);
		this.#post({ kind: 'configure', change });
	}

	/** Stops listening; resolves when the last final has arrived. */
	async finish(): Promise<Closed> {
		if (!this.#isFinished && !this.#isEnded) {
			this.#isFinished = true;
			await this.detach();
			this.#post({ kind: 'finish' });
		}
		return this.closed;
	}

	/** Ends the stream and its iteration at once; pending finals are lost. */
	close(): void {
		for (const queue of this.#queues) {
			queue.end(null);
		}
		this.#end(new AuricleError('aborted', 'The stream was closed.'));
	}

	/** Calls back for each event of a type; returns a function that removes the listener. */
	on<T extends LiveEvent['type']>(type: T, listener: (event: EventOf<T>) => void): () => void {
		const listeners = this.#listeners.get(type) ?? new Set<Listener>();
		this.#listeners.set(type, listeners);
		const added = listener as Listener; // it is called with events of its type only
		listeners.add(added);
		return () => void listeners.delete(added);
	}

	/** Returns all events from now on. Iteration ends after the last final, or throws the stream's error. */
	[Symbol.asyncIterator](): AsyncIterator<LiveEvent, undefined> {
		const queue = new EventQueue<LiveEvent>();
		this.#queues.add(queue);
		if (this.#isEnded) {
			queue.end(this.#failure);
		}
		return queue;
	}

	async #use(media: MediaStream, isOurs: boolean, turn: number): Promise<void> {
		await this.#stopCapture();
		const { port1, port2 } = new MessageChannel();
		try {
			const capture = await Capture.start(media, port1, this.#workletUrl, event => this.#emit(event));
			if (turn !== this.#turn) {
				await capture.stop(isOurs); // another source was requested meanwhile
				return;
			}
			this.#capture = { capture, isOurs };
			this.#post({ kind: 'listen', port: port2, rateHz: capture.rateHz }, [port2]);
		} catch (error) {
			if (isOurs) {
				media.getTracks().forEach(track => track.stop());
			}
			throw error;
		}
	}

	#take(message: FromWorker): void {
		switch (message.kind) {
			case 'event':
				if (message.event.type === 'closed') {
					this.#lastClosed = message.event;
				}
				this.#emit(message.event);
				break;
			case 'kept':
				this.#keptSeconds = message.seconds;
				break;
			case 'key':
				void this.#giveKey();
				break;
			case 'over':
				this.#end(null);
				break;
			case 'failed':
				this.#end(new AuricleError(message.code, message.message));
		}
	}

	async #giveKey(): Promise<void> {
		let key: string | null = null;
		try {
			key = typeof this.#apiKey === 'function' ? await this.#apiKey() : null;
		} catch (error) {
			reportError(error); // thrown by the application; the worker retries
		}
		this.#post({ kind: 'key', key });
	}

	#emit(event: LiveEvent): void {
		for (const queue of this.#queues) {
			queue.push(event);
		}
		for (const listener of this.#listeners.get(event.type) ?? []) {
			try {
				listener(event);
			} catch (error) {
				reportError(error); // an error in one listener must not affect the others
			}
		}
	}

	readonly #onVisibility = (): void => {
		const state: PageState = document.hidden
			? { type: 'page_hidden', message: 'The page is hidden; captions continue.' }
			: { type: 'page_visible', message: 'The page is visible again.' };
		this.#emit(state);
	};

	#end(failure: AuricleError | null): void {
		if (this.#isEnded) {
			return;
		}
		this.#isEnded = true;
		this.#failure = failure;
		this.#worker.terminate();
		document.removeEventListener('visibilitychange', this.#onVisibility);
		void this.detach();
		for (const queue of this.#queues) {
			queue.end(failure);
		}
		if (failure === null && this.#lastClosed !== null) {
			this.#resolveClosed(this.#lastClosed);
		} else {
			this.#rejectClosed(failure ?? new AuricleError('bad_message', 'The stream ended without a message.'));
		}
	}

	#check(): void {
		if (this.#failure !== null) {
			throw this.#failure;
		}
		if (this.#isEnded || this.#isFinished) {
			throw new AuricleError('finished', 'This stream is finished; start another.');
		}
	}

	#post(message: ToWorker, transfer: Transferable[] = []): void {
		this.#worker.postMessage(message, transfer);
	}
}

/** All parameters; the compiler finds one that is missing here. */
const PARAMETERS: Record<keyof StreamParameters, true> = {
	model: true,
	language: true,
	languages: true,
	strictLanguage: true,
	task: true,
	prompt: true,
	hotwords: true,
	vocabulary: true,
	partials: true,
	endpointMilliseconds: true,
	wordTimestamps: true,
	speakers: true,
	numSpeakers: true,
	turnDetection: true,
	turnThreshold: true,
	turnEagerThreshold: true,
	turnLimitMilliseconds: true,
	maxLagSeconds: true,
};

/** Returns the parameters alone: other options cannot be sent to a worker. */
function plain(options: StreamParameters): StreamParameters {
	const given = Object.entries(options).filter(
		([name, value]: [string, unknown]) => name in PARAMETERS && value !== undefined,
	);
	return Object.fromEntries(given);
}
