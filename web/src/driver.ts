/** Carries out a session's actions: opens WebSockets, sends, sets timers. The session makes all decisions. */

import { AuricleError } from './errors.js';
import type { Action, ClientSession, SessionEvent } from './client-session.js';
import { refusalReason, serverLoad } from './refusal.js';

/** The browser's send buffer is kept small, so that a lost connection is noticed early. */
const MAX_BUFFERED_BYTES = 256 * 1024;
const BUFFER_POLL_MILLISECONDS = 50;
const MAX_TIMER_MILLISECONDS = 60_000;
const DONE = 1000; // RFC 6455 §7.4.1
const SUBPROTOCOL = 'auricle';

/** Where a driver connects to, and its callbacks. */
export interface DriverOptions {
	readonly url: URL;
	/** A key or token, or a function that returns one before each connection. */
	readonly apiKey: string | (() => Promise<string>) | undefined;
	readonly onEvent: (event: SessionEvent) => void;
	/** Called once: with `null` when all finals have arrived. */
	readonly onEnd: (failure: AuricleError | null) => void;
}

/** An attempt to connect, and the resulting connection. */
interface Attempt {
	socket: WebSocket | null;
}

/** Runs a session. */
export class Driver {
	readonly #session: ClientSession;
	readonly #options: DriverOptions;
	#attempt: Attempt | null = null;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#isEnded = false;

	constructor(session: ClientSession, options: DriverOptions) {
		this.#session = session;
		this.#options = options;
	}

	/** Carries out all due actions; call after each change of the session. */
	turn(): void {
		if (this.#isEnded) {
			return;
		}
		clearTimeout(this.#timer);
		let action: Action | null;
		while ((action = this.#session.poll(now(), this.#canSend)) !== null) {
			this.#act(action);
		}
		for (const event of this.#session.takeEvents()) {
			this.#options.onEvent(event);
		}
		if (this.#session.isOver || this.#session.failure !== null) {
			this.#isEnded = true;
			this.#options.onEnd(this.#session.failure);
			return;
		}
		const wait = (this.#session.wakeAtSeconds - now()) * 1000;
		const most = this.#canSend ? MAX_TIMER_MILLISECONDS : BUFFER_POLL_MILLISECONDS;
		this.#timer = setTimeout(() => this.turn(), Math.min(Math.max(wait, 1), most));
	}

	get #canSend(): boolean {
		return (this.#attempt?.socket?.bufferedAmount ?? 0) < MAX_BUFFERED_BYTES;
	}

	#act(action: Action): void {
		switch (action.kind) {
			case 'connect':
				void this.#connect(action.query);
				break;
			case 'send':
				this.#attempt?.socket?.send(action.data);
				break;
			case 'drop':
				this.#attempt?.socket?.close(DONE);
				this.#attempt = null; // ignore its later events
		}
	}

	async #connect(query: Readonly<Record<string, string>>): Promise<void> {
		const attempt: Attempt = { socket: null };
		this.#attempt = attempt;
		const url = new URL(this.#options.url);
		url.search = new URLSearchParams(query).toString();
		let { apiKey } = this.#options;
		if (typeof apiKey === 'function') {
			try {
				apiKey = await apiKey();
			} catch {
				// The function usually uses the network that has just failed.
				const message = 'The page could not get a key for the server.';
				const refusal = { cause: 'network', message, retryAfterSeconds: 0 } as const;
				this.#ifCurrent(attempt, () => this.#session.refused(refusal, now()));
				return;
			}
			if (this.#attempt !== attempt) {
				return;
			}
		}
		try {
			this.#open(attempt, url, apiKey);
		} catch {
			const error = new AuricleError(
				'bad_parameters',
				"The key contains characters that a browser can't send.",
			);
			this.#ifCurrent(attempt, () => this.#session.failed(error));
		}
	}

	#open(attempt: Attempt, url: URL, apiKey: string | undefined): void {
		const socket = new WebSocket(url, [SUBPROTOCOL, ...(apiKey === undefined ? [] : [`key.${apiKey}`])]);
		attempt.socket = socket;
		let isOpen = false;
		socket.onopen = () => {
			isOpen = true;
			this.#ifCurrent(attempt, () => this.#session.opened(now()));
		};
		socket.onmessage = ({ data }: MessageEvent<unknown>) => {
			this.#ifCurrent(attempt, () => this.#session.received(String(data), now()));
		};
		socket.onclose = ({ code, reason }) => {
			if (isOpen && this.#session.isFull) {
				void this.#refusedAsFull(attempt, apiKey, code, reason);
			} else if (isOpen) {
				this.#ifCurrent(attempt, () => this.#session.lost(code, reason, now()));
			} else {
				void this.#refused(attempt, apiKey);
			}
		};
	}

	async #refused(attempt: Attempt, apiKey: string | undefined): Promise<void> {
		if (this.#attempt !== attempt) {
			return;
		}
		const why = await refusalReason(this.#options.url, apiKey);
		this.#ifCurrent(attempt, () => {
			if (!(why instanceof AuricleError)) {
				this.#session.refused(why, now());
			} else if (why.code === 'token_expired' && typeof this.#options.apiKey === 'function') {
				const { message } = why; // it expired before it arrived; the next one may be valid
				this.#session.refused({ cause: 'network', message, retryAfterSeconds: 0 }, now());
			} else {
				this.#session.failed(why);
			}
		});
	}

	/** After the handshake: the reason has arrived, the numbers have not. */
	async #refusedAsFull(
		attempt: Attempt,
		apiKey: string | undefined,
		code: number,
		reason: string,
	): Promise<void> {
		const load = await serverLoad(this.#options.url, apiKey);
		this.#ifCurrent(attempt, () => this.#session.lost(code, reason, now(), load));
	}

	#ifCurrent(attempt: Attempt, report: () => void): void {
		if (this.#attempt === attempt) {
			report();
			this.turn();
		}
	}
}

function now(): number {
	return performance.now() / 1000;
}
