/** HTTP requests, repeated while the server is busy or restarts. */

import { Backoff, DEFAULT_RULES } from '../backoff.js';
import { ApiError, responseError } from './api-error.js';
import { type Decode, decodeBody, type Page } from './results.js';

/** Sends a request; usually `fetch`. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** A key, a token, or a function that returns a fresh one before each request. */
export type ApiKey = string | (() => string | Promise<string>);

/** A request. */
export interface Call {
	readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
	/** Parts of the path; each is quoted. */
	readonly path: readonly string[];
	readonly query?: Readonly<Record<string, string>>;
	readonly json?: unknown;
	readonly audio?: Blob;
	/** Longest silence of the server; that of the client if omitted. The time for `audio` comes on top. */
	readonly limitSeconds?: number;
	/** Whether it may be sent again if its response was lost; default: yes. */
	readonly isRepeatable?: boolean;
	/** Limit of the client's patience. */
	readonly patienceSeconds?: number;
	/** Whether the server is known to exist, even if it has not answered yet; default: no. */
	readonly isKnown?: boolean;
	/** Ends the request. */
	readonly signal?: AbortSignal | undefined;
}

/** What a connection needs. */
export interface ConnectionSettings {
	/** Without a trailing slash. */
	readonly url: string;
	readonly apiKey: ApiKey | undefined;
	readonly timeoutSeconds: number;
	readonly patienceSeconds: number;
	readonly fetch: Fetch;
}

const MAX_PAGE = 1000;
/** What `fetch` sends as it is. */
const VALID_KEY = /^[!-\xff]([ -\xff]*[!-\xff])?$/;
const INVALID_KEY = 'Invalid API key: it is empty, or has characters that a header can not carry.';
/** `fetch` does not report the progress of an upload: the slowest uplink that is waited for. */
const MIN_UPLOAD_BYTES_PER_SECOND = 10_000;

/** Sends requests to a server. */
export class Connection {
	readonly #settings: ConnectionSettings;
	#hasAnswered = false;

	constructor(settings: ConnectionSettings) {
		this.#settings = settings;
	}

	/**
	 * Returns the converted response to a request.
	 *
	 * @throws {@link ApiError} The server rejected it, or was unavailable for too long.
	 */
	async send<T>(call: Call, decode: Decode<T>): Promise<T> {
		return decodeBody(await this.text(call), decode);
	}

	/**
	 * Returns the response to a request as text.
	 *
	 * @throws {@link ApiError} As for `send`.
	 */
	async text(call: Call): Promise<string> {
		const retries = this.retries(call);
		for (;;) {
			try {
				return await this.#receive(call);
			} catch (error) {
				await retries.pause(error);
			}
		}
	}

	/**
	 * Iterates over a list, page by page, up to a number of items.
	 *
	 * @throws {@link ApiError} As for `send`.
	 */
	async *items<T>(call: Call, limit: number, decode: Decode<Page<T>>): AsyncGenerator<T, void> {
		let before: number | null = null;
		for (let rest = limit; rest > 0;) {
			const query: Record<string, string> = { ...call.query, limit: String(Math.min(rest, MAX_PAGE)) };
			if (before !== null) {
				query['before'] = String(before);
			}
			const page: Page<T> = await this.send({ ...call, query }, decode);
			yield* page.items;
			rest -= page.items.length;
			before = page.next;
			if (before === null) {
				return;
			}
		}
	}

	/**
	 * Iterates over the lines of a response that continues.
	 *
	 * @throws {@link ApiError} The server rejected the request, or the connection was lost.
	 */
	async *lines(call: Call): AsyncGenerator<string, void> {
		const limit = new Limit(call.limitSeconds ?? this.#settings.timeoutSeconds, call.signal);
		try {
			const response = await this.#open(call, limit);
			const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
			let rest = '';
			for (;;) {
				limit.extend();
				const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
				const lines = (rest + (value ?? '')).split(/\r?\n/);
				rest = lines.pop() ?? '';
				yield* lines;
				if (done) {
					return;
				}
			}
		} catch (error) {
			throw this.#failure(error, limit);
		} finally {
			limit.end(); // also closes the connection if the caller reads no further
		}
	}

	/** Returns when to repeat a request. */
	retries({
		isRepeatable = true,
		isKnown = false,
		patienceSeconds = Infinity,
		signal,
	}: Omit<Call, 'path'> = {}): Retries {
		return new Retries(
			Math.min(patienceSeconds, this.#settings.patienceSeconds),
			(this.#hasAnswered || isKnown) && isRepeatable,
			signal,
		);
	}

	async #receive(call: Call): Promise<string> {
		const uploadSeconds = (call.audio?.size ?? 0) / MIN_UPLOAD_BYTES_PER_SECOND;
		const limit = new Limit(
			(call.limitSeconds ?? this.#settings.timeoutSeconds) + uploadSeconds,
			call.signal,
		);
		try {
			return await (await this.#open(call, limit)).text();
		} catch (error) {
			throw this.#failure(error, limit);
		} finally {
			limit.done();
		}
	}

	async #open(call: Call, limit: Limit): Promise<Response> {
		const { method = 'GET', path, query = {}, json, audio } = call;
		const { url, apiKey, fetch } = this.#settings;
		if (path.some(part => /^\.{0,2}$/.test(part))) {
			throw new ApiError('bad_request', 'Invalid ID.'); // it would name another resource
		}
		const key = typeof apiKey === 'function' ? await apiKey() : apiKey;
		if (key !== undefined && !VALID_KEY.test(key)) {
			throw new ApiError('bad_parameters', INVALID_KEY);
		}
		const headers: Record<string, string> = {};
		if (key !== undefined) {
			headers['Authorization'] = `Bearer ${key}`;
		}
		if (audio !== undefined || json !== undefined) {
			headers['Content-Type'] = audio === undefined ? 'application/json' : 'application/octet-stream';
		}
		const search = new URLSearchParams(query).toString();
		const target = `${url}/${path.map(encodeURIComponent).join('/')}${search && `?${search}`}`;
		const response = await fetch(target, {
			method,
			headers,
			body: audio ?? (json === undefined ? null : JSON.stringify(json)),
			cache: 'no-store',
			signal: limit.signal,
		});
		this.#hasAnswered = true;
		if (!response.ok) {
			throw responseError(response.status, response.headers.get('Retry-After'), await response.text());
		}
		return response;
	}

	/** Returns the error to throw for what went wrong in a request. */
	#failure(error: unknown, limit: Limit): unknown {
		if (error instanceof ApiError || limit.isCallers) {
			return error;
		}
		const message = limit.hasPassed
			? `The server at ${this.#settings.url} did not answer in time.`
			: `No Auricle server answers at ${this.#settings.url}. Is it running, and does it accept this page's origin?`;
		return new ApiError('unreachable', message, 0, true);
	}
}

/** Decides when to repeat a request that failed. */
export class Retries {
	readonly #backoff = new Backoff(DEFAULT_RULES, Math.random);
	readonly #patienceSeconds: number;
	readonly #repeatsLost: boolean;
	readonly #signal: AbortSignal | undefined;

	/**
	 * @param patienceSeconds - Time after the first failure at which to give up.
	 * @param repeatsLost - Whether to repeat a request whose response was lost. Not before the server has answered once: the
	 * URL is probably wrong.
	 * @param signal - Ends a pause.
	 */
	constructor(patienceSeconds: number, repeatsLost: boolean, signal?: AbortSignal) {
		this.#patienceSeconds = patienceSeconds;
		this.#repeatsLost = repeatsLost;
		this.#signal = signal;
	}

	/**
	 * Waits before the next attempt.
	 *
	 * @throws The error, if another attempt would fail, too, or the patience is over.
	 */
	async pause(error: unknown): Promise<void> {
		const mayRepeat =
			error instanceof ApiError && (error.code === 'unreachable' ? this.#repeatsLost : error.retryable);
		const delaySeconds = mayRepeat
			? this.#backoff.nextDelaySeconds(
					performance.now() / 1000,
					this.#patienceSeconds,
					error.retryAfterSeconds,
				)
			: null;
		if (delaySeconds === null) {
			throw error;
		}
		await sleep(delaySeconds, this.#signal);
	}
}

/**
 * Waits.
 *
 * @throws The signal's reason, if it ends the wait.
 */
export function sleep(seconds: number, signal?: AbortSignal): Promise<void> {
	return new Promise((resolve, reject) => {
		signal?.throwIfAborted();
		const abort = (): void => {
			clearTimeout(timer);
			reject(signal?.reason as Error);
		};
		const timer = setTimeout(() => {
			signal?.removeEventListener('abort', abort);
			resolve();
		}, seconds * 1000);
		signal?.addEventListener('abort', abort, { once: true });
	});
}

/** Ends a request when the caller wants it or the server is silent for too long. */
class Limit {
	hasPassed = false;
	readonly #controller = new AbortController();
	readonly #seconds: number;
	readonly #callers: AbortSignal | undefined;
	#timer: ReturnType<typeof setTimeout> | undefined;

	constructor(seconds: number, callers: AbortSignal | undefined) {
		this.#seconds = seconds;
		this.#callers = callers;
		if (callers?.aborted === true) {
			this.#abort();
		}
		callers?.addEventListener('abort', this.#abort);
		this.extend();
	}

	get signal(): AbortSignal {
		return this.#controller.signal;
	}

	/** Whether the caller has ended the request. */
	get isCallers(): boolean {
		return this.#callers?.aborted === true;
	}

	/** Starts the time again. */
	extend(): void {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => {
			this.hasPassed = true;
			this.#controller.abort();
		}, this.#seconds * 1000);
	}

	/** Lifts the limit. */
	done(): void {
		clearTimeout(this.#timer);
		this.#callers?.removeEventListener('abort', this.#abort);
	}

	/** Ends the request. */
	end(): void {
		this.done();
		this.#controller.abort();
	}

	readonly #abort = (): void => this.#controller.abort(this.#callers?.reason);
}
