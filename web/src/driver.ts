/** Does what a session wants done: opens WebSockets, sends, keeps time. All thinking is the session's. */

import { AuricleError } from './errors.js';
import type { Action, LiveSession, SessionEvent } from './live-session.js';
import { whyRefused } from './refusal.js';

/** What waits in the browser for the network is kept small: else a broken one would be noticed late. */
const MAX_BUFFERED_BYTES = 256 * 1024;
const BUFFER_POLL_MILLISECONDS = 50;
const MAX_TIMER_MILLISECONDS = 60_000;
const DONE = 1000; // RFC 6455 §7.4.1
const SUBPROTOCOL = 'auricle';

/** Where a driver connects to, and whom it tells. */
export interface DriverOptions {
	readonly url: URL;
	/** A key or a token, or what is asked for one before each connection. */
	readonly apiKey: string | (() => Promise<string>) | undefined;
	readonly onEvent: (event: SessionEvent) => void;
	/** Is called once: with `null` when every final is here. */
	readonly onEnd: (failure: AuricleError | null) => void;
}

/** One attempt to connect, and the connection that it became. */
interface Attempt {
	socket: WebSocket | null;
}

/** Runs a session. */
export class Driver {
	readonly #session: LiveSession;
	readonly #options: DriverOptions;
	#attempt: Attempt | null = null;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#isEnded = false;

	constructor(session: LiveSession, options: DriverOptions) {
		this.#session = session;
		this.#options = options;
	}

	/** Does all that is due; to be called whenever something was given to the session. */
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
				this.#attempt = null; // so that nobody listens to it any more
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
				// As a rule it comes over the same network that has just failed.
				const message = 'There is no key to show: the page could not get one.';
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
			const error = new AuricleError('bad_parameters', "The key holds characters that a browser can't send.");
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
			if (isOpen) {
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
		const why = await whyRefused(this.#options.url, apiKey);
		this.#ifCurrent(attempt, () => {
			if (!(why instanceof AuricleError)) {
				this.#session.refused(why, now());
			} else if (why.code === 'token_expired' && typeof this.#options.apiKey === 'function') {
				const { message } = why; // it grew old on its way; the next one may not
				this.#session.refused({ cause: 'network', message, retryAfterSeconds: 0 }, now());
			} else {
				this.#session.failed(why);
			}
		});
	}

	#ifCurrent(attempt: Attempt, tell: () => void): void {
		if (this.#attempt === attempt) {
			tell();
			this.turn();
		}
	}
}

function now(): number {
	return performance.now() / 1000;
}
