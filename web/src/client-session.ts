/**
 * When to connect, what to send, when to give up: the state of a stream, driven by events and monotonic time. Pure.
 *
 * Report events with {@link ClientSession.opened}, {@link ClientSession.received}, {@link ClientSession.lost} and
 * {@link ClientSession.refused}. Do what {@link ClientSession.poll} returns until it returns `null`; call it again after each
 * event and at {@link ClientSession.wakeAtSeconds}. {@link ClientSession.takeEvents} returns the events for the application.
 *
 *     waiting -> connecting -> connected -> over
 *        ^___________|_____________|          failed: from any of them
 */

import { SAMPLE_RATE_HZ } from './audio-format.js';
import { Backoff, type ClientRules } from './backoff.js';
import { Conversation, type Format, type ReportedEvent } from './conversation.js';
import { AuricleError } from './errors.js';
import { type Failed, parseEvent, type ServerEvent } from './events.js';
import type { Change, StreamParameters } from './parameters.js';

/**
 * Why there is no connection; `network`: it was lost or the server does not respond; `starting`: it loads its model;
 * `full`: it holds no other speaker now.
 */
export type Cause = 'network' | 'restarting' | 'starting' | 'busy' | 'full';

/** How many people a full server transcribes. */
export interface Load {
	/** People who are being transcribed now. */
	readonly speakers: number;
	/** People that the server holds. */
	readonly capacity: number;
}

/** The connection was lost and the client reconnects; no speech is lost. */
export interface Disconnected {
	readonly type: 'disconnected';
	readonly cause: Cause;
	/** A sentence. */
	readonly message: string;
	readonly retryInSeconds: number;
	/** With the cause `full`, if the server reports it. */
	readonly load?: Load;
}

/** Events for the application. */
export type SessionEvent = ReportedEvent | Disconnected;

/** Why a connection could not be opened. */
export interface Refusal {
	readonly cause: Cause;
	/** A sentence. */
	readonly message: string;
	/** Wait that the server requested. */
	readonly retryAfterSeconds: number;
	readonly load?: Load;
}

/** A server without a ready worker. Its retry time is for requests that cost more than a connection. */
export const STARTING: Refusal = {
	cause: 'starting',
	message: 'The server is starting.',
	retryAfterSeconds: 0,
};

/** What the driver must do now. */
export type Action =
	| { readonly kind: 'connect'; readonly query: Readonly<Record<string, string>> }
	| { readonly kind: 'send'; readonly data: string | Uint8Array<ArrayBuffer> }
	/** Close the connection or the attempt; report no more of its events. */
	| { readonly kind: 'drop' };

/** Maximum wait, even if the server requests more. */
export const MAX_RETRY_AFTER_SECONDS = 120;

/** Maximum wait for a server that loads its model: captions begin soon after it is ready. */
const STARTING_DELAY_SECONDS = 1;

/** Maximum wait for a free place, besides the requested one: the server keeps a client's position for 5 s longer. */
const FULL_DELAY_SECONDS = 2;

/** Maximum waits in the place of the rules' one. */
const MAX_DELAYS_SECONDS: Readonly<Partial<Record<Cause, number>>> = {
	starting: STARTING_DELAY_SECONDS,
	full: FULL_DELAY_SECONDS,
};

/** Code of a server that holds no other speaker. */
const SERVER_FULL = 'server_full';

/** Code of a server without a ready worker. */
export const NO_WORKER_READY = 'no_worker_ready';

/** RFC 6455 §7.4.1: reconnecting with the same stream would end in the same way. */
const FATAL_CLOSE_CODES: ReadonlySet<number> = new Set([1002, 1003, 1007, 1008, 1009, 1010]);
const RESTARTING = 1012;
const OVERLOADED = 1013;

type Phase = 'waiting' | 'connecting' | 'connected' | 'over' | 'failed';

/** The state of a stream; see above. */
export class ClientSession {
	readonly #conversation: Conversation;
	readonly #rules: ClientRules;
	readonly #backoff: Backoff;
	#phase: Phase = 'waiting';
	#connectAt = -Infinity;
	#deadline = Infinity; // of the attempt
	#heardAt = 0;
	#saidAt = 0;
	#owedSince: number | null = null; // since when the server owes a message
	#opening: string | null = null;
	#isDropDue = false;
	#hasConnected = false;
	#lastFailed: Failed | null = null;
	#failure: AuricleError | null = null;
	#events: SessionEvent[] = [];

	/**
	 * @param parameters - Parameters of each session.
	 * @param format - Audio format.
	 * @param rules - Time limits.
	 * @param chance - Returns a random number from 0 to 1.
	 * @throws {@link AuricleError} `bad_parameters`.
	 */
	constructor(parameters: StreamParameters, format: Format, rules: ClientRules, chance = Math.random) {
		this.#conversation = new Conversation(parameters, format);
		this.#rules = rules;
		this.#backoff = new Backoff(rules, chance);
	}

	/** The current audio format; the server may have changed it. */
	get format(): Format {
		return this.#conversation.format;
	}

	/** Whether all finals have arrived. */
	get isOver(): boolean {
		return this.#phase === 'over';
	}

	/** Why the stream ended early. */
	get failure(): AuricleError | null {
		return this.#failure;
	}

	/** Seconds of audio that are kept because its text has not arrived. */
	get keptSeconds(): number {
		return this.#conversation.audio.keptSamples / SAMPLE_RATE_HZ;
	}

	/** Speech that was dropped because the server was unreachable for too long. */
	get droppedSamples(): number {
		return this.#conversation.audio.droppedSamples;
	}

	/** When {@link poll} is due without an earlier event; `Infinity` if never. */
	get wakeAtSeconds(): number {
		switch (this.#phase) {
			case 'waiting':
				return this.#connectAt;
			case 'connecting':
				return this.#deadline;
			case 'connected':
				return Math.min(this.#silentAt(), this.#saidAt + this.#rules.keepaliveSeconds);
			default:
				return Infinity;
		}
	}

	/** Adds 20 ms of speech and its packet; without a packet, the format must be PCM. */
	append(pcm: Int16Array, packet: Uint8Array | null): void {
		this.#conversation.audio.append(pcm, packet);
		this.#conversation.limit(this.#rules.maxKeptSeconds * SAMPLE_RATE_HZ);
	}

	/** Requests a final of all speech so far. */
	finalize(): void {
		this.#conversation.finalize();
	}

	/** Changes the stream's parameters. */
	configure(change: Change): void {
		this.#conversation.configure(change);
	}

	/** Sends samples from now on, and reports the reason. */
	switchToPcm(message: string): void {
		this.#conversation.switchToPcm();
		this.#events.push({ type: 'warning', code: 'encoder_failed', message, gapMilliseconds: null });
	}

	/** Ends the speech. */
	finish(): void {
		this.#conversation.finish();
	}

	/** Returns the new events for the application. */
	takeEvents(): SessionEvent[] {
		const events = this.#events;
		this.#events = [];
		return events;
	}

	/** Records that the connection is open. */
	opened(nowSeconds: number): void {
		this.#opening = this.#conversation.connected();
		this.#phase = 'connected';
		this.#hasConnected = true;
		this.#heardAt = this.#saidAt = this.#owedSince = nowSeconds;
		this.#lastFailed = null;
	}

	/** Handles a message from the server. */
	received(text: string, nowSeconds: number): void {
		if (this.#phase !== 'connected') {
			return;
		}
		this.#heardAt = nowSeconds;
		let event: ServerEvent | null;
		try {
			event = parseEvent(text);
		} catch (error) {
			this.#fail(error instanceof AuricleError ? error : new AuricleError('bad_message', String(error)));
			return;
		}
		if (event === null) {
			return;
		}
		if (event.type === 'error') {
			this.#lastFailed = event;
		}
		const before = this.#conversation.furthestSample;
		this.#events.push(...this.#conversation.receiveEvent(event));
		if (this.#conversation.furthestSample > before) {
			this.#backoff.worked();
		}
		this.#noteOwed(nowSeconds);
		if (this.#conversation.state === 'over') {
			this.#phase = 'over';
			this.#isDropDue = true;
		}
	}

	/** Whether the server has said on this connection that it is full. */
	get isFull(): boolean {
		return this.#lastFailed?.code === SERVER_FULL;
	}

	/** Records that an open connection was closed; `load`: how many people a full server transcribes. */
	lost(closeCode: number, reason: string, nowSeconds: number, load?: Load): void {
		if (this.#phase !== 'connected') {
			return;
		}
		const failure = this.#lastFailed;
		const isMisplaced = this.#conversation.state === 'misplaced';
		this.#conversation.disconnected();
		if (isMisplaced) {
			this.#phase = 'waiting'; // expected
			this.#connectAt = nowSeconds;
			return;
		}
		if (failure?.retryable !== true && FATAL_CLOSE_CODES.has(closeCode)) {
			const words = failure?.message ?? (reason || `close code ${closeCode}`);
			this.#fail(new AuricleError(failure?.code ?? 'refused', `The server ended the stream: ${words}`));
			return;
		}
		if (closeCode === OVERLOADED && failure?.code === NO_WORKER_READY) {
			this.#comeBack(STARTING, nowSeconds);
			return;
		}
		const sentence = this.isFull ? undefined : SENTENCES[closeCode];
		this.#comeBack(
			{
				cause: this.isFull ? 'full' : (CAUSES[closeCode] ?? 'network'),
				message: sentence ?? failure?.message ?? 'The connection was lost.',
				retryAfterSeconds: failure?.retryAfterSeconds ?? 0,
				...(load === undefined ? {} : { load }),
			},
			nowSeconds,
		);
	}

	/** Records that a connection could not be opened. */
	refused(refusal: Refusal, nowSeconds: number): void {
		if (this.#phase === 'connecting') {
			this.#comeBack(refusal, nowSeconds);
		}
	}

	/** Records an error that a retry cannot solve, such as a wrong key. */
	failed(error: AuricleError): void {
		if (this.#phase !== 'over') {
			this.#fail(error);
		}
	}

	/**
	 * Returns what to do now, or `null`.
	 *
	 * @param nowSeconds - Monotonic time.
	 * @param canSend - Whether the connection's send buffer has room.
	 */
	poll(nowSeconds: number, canSend = true): Action | null {
		if (this.#isDropDue) {
			this.#isDropDue = false;
			return { kind: 'drop' };
		}
		switch (this.#phase) {
			case 'waiting':
				return nowSeconds < this.#connectAt ? null : this.#connect(nowSeconds);
			case 'connecting':
				return nowSeconds < this.#deadline ? null : this.#giveUp('The server does not respond.', nowSeconds);
			case 'connected':
				return this.#converse(nowSeconds, canSend);
			default:
				return null;
		}
	}

	#connect(nowSeconds: number): Action {
		this.#phase = 'connecting';
		this.#deadline = nowSeconds + this.#rules.connectLimitSeconds;
		return { kind: 'connect', query: this.#conversation.query() };
	}

	#converse(nowSeconds: number, canSend: boolean): Action | null {
		if (nowSeconds >= this.#silentAt()) {
			return this.#giveUp('The server stopped responding.', nowSeconds);
		}
		const data = canSend ? this.#nextMessage(nowSeconds) : null;
		if (data === null) {
			return null;
		}
		this.#saidAt = nowSeconds;
		this.#noteOwed(nowSeconds);
		return { kind: 'send', data };
	}

	#nextMessage(nowSeconds: number): string | Uint8Array<ArrayBuffer> | null {
		const opening = this.#opening;
		this.#opening = null;
		const message = opening ?? this.#conversation.nextMessage();
		const isQuiet = nowSeconds >= this.#saidAt + this.#rules.keepaliveSeconds;
		return message ?? (isQuiet ? JSON.stringify({ type: 'keepalive' }) : null);
	}

	/** Returns when a silent server counts as gone. A browser cannot send a ping. */
	#silentAt(): number {
		if (this.#owedSince === null) {
			return Infinity;
		}
		const { silenceSeconds, lastWordsSeconds } = this.#rules;
		const since = Math.max(this.#heardAt, this.#owedSince);
		return since + (this.#conversation.isStopSent ? lastWordsSeconds : silenceSeconds);
	}

	#noteOwed(nowSeconds: number): void {
		this.#owedSince = this.#conversation.isWaiting ? (this.#owedSince ?? nowSeconds) : null;
	}

	#giveUp(message: string, nowSeconds: number): Action {
		this.#conversation.disconnected();
		this.#comeBack({ cause: 'network', message, retryAfterSeconds: 0 }, nowSeconds);
		this.#isDropDue = false; // this action does it
		return { kind: 'drop' };
	}

	#comeBack(refusal: Refusal, nowSeconds: number): void {
		const { patienceSeconds, firstPatienceSeconds } = this.#rules;
		const isThere = this.#hasConnected || refusal.cause !== 'network';
		const delay = this.#backoff.nextDelaySeconds(
			nowSeconds,
			isThere ? patienceSeconds : firstPatienceSeconds,
			Math.min(refusal.retryAfterSeconds, MAX_RETRY_AFTER_SECONDS),
			MAX_DELAYS_SECONDS[refusal.cause],
		);
		const { cause, message, load } = refusal;
		if (delay === null) {
			this.#fail(new AuricleError(cause === 'full' ? SERVER_FULL : 'unreachable', message));
			return;
		}
		this.#phase = 'waiting';
		this.#connectAt = nowSeconds + delay;
		const figures = load === undefined ? {} : { load };
		this.#events.push({ type: 'disconnected', cause, message, retryInSeconds: delay, ...figures });
	}

	#fail(error: AuricleError): void {
		this.#phase = 'failed';
		this.#failure = error;
		this.#events.push(...this.#conversation.giveUp(error.code === 'unreachable' ? error.code : 'stopped'));
		this.#isDropDue = true;
	}
}

const CAUSES: Readonly<Record<number, Cause>> = { [RESTARTING]: 'restarting', [OVERLOADED]: 'busy' };
const SENTENCES: Readonly<Record<number, string>> = {
	[RESTARTING]: 'The server is restarting.',
	[OVERLOADED]: 'The server is busy.',
	1011: 'Internal server error.',
};
