/**
 * When to connect, what to send, whom to give up: a stream's whole life, as a function of what happens and of monotonic
 * seconds. Pure.
 *
 * Tell it what happened ({@link LiveSession.opened}, {@link LiveSession.received}, {@link LiveSession.lost},
 * {@link LiveSession.refused}), do what {@link LiveSession.poll} returns until that is `null`, and call it again after
 * each event and at {@link LiveSession.wakeAtSeconds}. What the application is to see is in
 * {@link LiveSession.takeEvents}.
 *
 *     waiting -> connecting -> connected -> over
 *        ^___________|_____________|          failed: from any of them
 */

import { SAMPLE_RATE_HZ } from './audio-format.js';
import { Backoff, type ClientRules } from './backoff.js';
import { Conversation, type Format, type Told } from './conversation.js';
import { AuricleError } from './errors.js';
import { type Failed, parseEvent, type ServerEvent } from './events.js';
import type { Change, StreamParameters } from './parameters.js';

/** Why there is no connection: `network`: it broke or nobody answers. */
export type Cause = 'network' | 'restarting' | 'busy';

/** The connection is gone and a new one is on its way; no speech is lost by that. */
export interface Disconnected {
	readonly type: 'disconnected';
	readonly cause: Cause;
	/** A sentence. */
	readonly message: string;
	readonly retryInSeconds: number;
}

/** What a session tells the application. */
export type SessionEvent = Told | Disconnected;

/** Why a connection could not be had. */
export interface Refusal {
	readonly cause: Cause;
	/** A sentence. */
	readonly message: string;
	/** How long the server asked us to stay away. */
	readonly retryAfterSeconds: number;
}

/** What is to be done now. */
export type Action =
	| { readonly kind: 'connect'; readonly query: Readonly<Record<string, string>> }
	| { readonly kind: 'send'; readonly data: string | Uint8Array<ArrayBuffer> }
	/** Let go of the connection, or of the attempt; nothing more is to be told of it. */
	| { readonly kind: 'drop' };

/** No server is stayed away from for longer, whatever it says. */
export const MAX_RETRY_AFTER_SECONDS = 120;

/** RFC 6455 §7.4.1: coming back with the same stream would end in the same way. */
const FATAL_CLOSE_CODES: ReadonlySet<number> = new Set([1002, 1003, 1007, 1008, 1009, 1010]);
const RESTARTING = 1012;
const OVERLOADED = 1013;

type Phase = 'waiting' | 'connecting' | 'connected' | 'over' | 'failed';

/** A stream's life; see above. */
export class LiveSession {
	readonly #conversation: Conversation;
	readonly #rules: ClientRules;
	readonly #backoff: Backoff;
	#phase: Phase = 'waiting';
	#connectAt = -Infinity;
	#deadline = Infinity; // of the attempt
	#heardAt = 0;
	#saidAt = 0;
	#owedSince: number | null = null; // since when the server owes us a word
	#opening: string | null = null;
	#isDropDue = false;
	#hasConnected = false;
	#lastFailed: Failed | null = null;
	#failure: AuricleError | null = null;
	#events: SessionEvent[] = [];

	/**
	 * @param parameters - What is asked of each session.
	 * @param format - How the audio travels.
	 * @param rules - How patient to be.
	 * @param chance - Gives a number of 0 to 1.
	 * @throws {@link AuricleError} `bad_parameters`.
	 */
	constructor(parameters: StreamParameters, format: Format, rules: ClientRules, chance = Math.random) {
		this.#conversation = new Conversation(parameters, format);
		this.#rules = rules;
		this.#backoff = new Backoff(rules, chance);
	}

	/** How the audio travels now; the server may have changed it. */
	get format(): Format {
		return this.#conversation.format;
	}

	/** Whether every final is here. */
	get isOver(): boolean {
		return this.#phase === 'over';
	}

	/** Why the stream has ended before it was over. */
	get failure(): AuricleError | null {
		return this.#failure;
	}

	/** Speech that was given up because the server was gone for too long. */
	get droppedSamples(): number {
		return this.#conversation.audio.droppedSamples;
	}

	/** When {@link poll} is due, if nothing happens before; `Infinity` if never. */
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

	/** Takes 20 ms of speech and its packet; without a packet, the format has to be PCM. */
	append(pcm: Int16Array, packet: Uint8Array | null): void {
		this.#conversation.audio.append(pcm, packet);
		this.#conversation.limit(this.#rules.maxKeptSeconds * SAMPLE_RATE_HZ);
	}

	/** Asks for a final of all that was said up to here. */
	finalize(): void {
		this.#conversation.finalize();
	}

	/** Changes what is asked of the server. */
	configure(change: Change): void {
		this.#conversation.configure(change);
	}

	/** Sends samples from now on, and says why. */
	switchToPcm(message: string): void {
		this.#conversation.switchToPcm();
		this.#events.push({ type: 'warning', code: 'encoder_failed', message, gapMilliseconds: null });
	}

	/** Takes note that no more speech comes. */
	finish(): void {
		this.#conversation.finish();
	}

	/** Returns what the application is to see, each event once. */
	takeEvents(): SessionEvent[] {
		const events = this.#events;
		this.#events = [];
		return events;
	}

	/** Takes note that the connection is open. */
	opened(nowSeconds: number): void {
		this.#opening = this.#conversation.connected();
		this.#phase = 'connected';
		this.#hasConnected = true;
		this.#heardAt = this.#saidAt = this.#owedSince = nowSeconds;
		this.#lastFailed = null;
	}

	/** Takes a message of the server's. */
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

	/** Takes note that an open connection was closed. */
	lost(closeCode: number, reason: string, nowSeconds: number): void {
		if (this.#phase !== 'connected') {
			return;
		}
		const told = this.#lastFailed;
		const isMisplaced = this.#conversation.state === 'misplaced';
		this.#conversation.disconnected();
		if (isMisplaced) {
			this.#phase = 'waiting'; // as it was meant to be
			this.#connectAt = nowSeconds;
			return;
		}
		if (told?.retryable !== true && FATAL_CLOSE_CODES.has(closeCode)) {
			const words = told?.message ?? (reason || `close code ${closeCode}`);
			this.#fail(new AuricleError(told?.code ?? 'refused', `The server ended the stream: ${words}`));
			return;
		}
		this.#comeBack(
			{
				cause: CAUSES[closeCode] ?? 'network',
				message: SENTENCES[closeCode] ?? told?.message ?? 'The connection was lost.',
				retryAfterSeconds: told?.retryAfterSeconds ?? 0,
			},
			nowSeconds,
		);
	}

	/** Takes note that a connection could not be had. */
	refused(refusal: Refusal, nowSeconds: number): void {
		if (this.#phase === 'connecting') {
			this.#comeBack(refusal, nowSeconds);
		}
	}

	/** Takes note that it will never be had in this way: a wrong key, for one. */
	failed(error: AuricleError): void {
		if (this.#phase !== 'over') {
			this.#fail(error);
		}
	}

	/**
	 * Returns what to do now, or `null`.
	 *
	 * @param nowSeconds - Monotonic.
	 * @param canSend - Whether the connection takes more without piling it up.
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
				return nowSeconds < this.#deadline ? null : this.#giveUp('The server does not answer.', nowSeconds);
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
			return this.#giveUp('The server has fallen silent.', nowSeconds);
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

	/** Returns when a server that says nothing counts as gone. A browser can't ask it with a ping. */
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
		this.#isDropDue = false; // this very action does it
		return { kind: 'drop' };
	}

	#comeBack(refusal: Refusal, nowSeconds: number): void {
		const { patienceSeconds, firstPatienceSeconds } = this.#rules;
		const isThere = this.#hasConnected || refusal.cause !== 'network';
		const delay = this.#backoff.nextDelaySeconds(
			nowSeconds,
			isThere ? patienceSeconds : firstPatienceSeconds,
			Math.min(refusal.retryAfterSeconds, MAX_RETRY_AFTER_SECONDS),
		);
		if (delay === null) {
			this.#fail(new AuricleError('unreachable', refusal.message));
			return;
		}
		this.#phase = 'waiting';
		this.#connectAt = nowSeconds + delay;
		const { cause, message } = refusal;
		this.#events.push({ type: 'disconnected', cause, message, retryInSeconds: delay });
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
	[RESTARTING]: 'The server restarts.',
	[OVERLOADED]: 'The server is busy.',
	1011: 'Something went wrong in the server.',
};
