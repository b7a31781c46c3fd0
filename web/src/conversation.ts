/**
 * One stream of speech, over as many sessions and connections as it takes. Pure.
 *
 * What a connection brings goes in ({@link Conversation.receiveEvent}), what it is to be sent comes out
 * ({@link Conversation.nextMessage}). Between them lies what makes captions outlive a connection and even a server:
 *
 * - A connection begins with `start`, or with `resume` if there is a session to go back to. Audio waits for `ready`,
 *   which says where to go on.
 * - A session that was resumed goes on with what it has not received. One that is new, because the server has
 *   forgotten, is told up to where all is safe, and hears some seconds before that again to tune in: so it finds the
 *   utterances that the old one would have found.
 * - Each final is passed on once: a session's own are counted by their `id`, and what they cover is never sent to
 *   another session. Numbers given to the application count on over all sessions.
 *
 * It does the same as the server's own Python client (`auricle.client.conversation`).
 */

import { FRAME_MILLISECONDS, SAMPLE_RATE_HZ } from './audio-format.js';
import type { Closed, Failed, Final, Partial, Ready, ServerEvent } from './events.js';
import type { SpeechEnded, SpeechStarted, Warning } from './events.js';
import { type Frame, KeptAudio } from './kept-audio.js';
import { type Loss, Losses } from './losses.js';
import { checkParameters, type Change, type StreamParameters } from './parameters.js';
import { createPacketFormatData, createPositionedSamples } from './wire.js';

/** A backlog is sent in messages of a second. */
export const MESSAGE_FRAMES = 1000 / FRAME_MILLISECONDS;

/** A server marks each second or so of audio; twice that without a mark is too long. */
export const UNMARKED_SAMPLES = 2 * SAMPLE_RATE_HZ;

/**
 * Audio that can't be sent as fast as it is spoken is dropped in blocks: one long gap costs fewer words than many short
 * ones.
 */
const DROP_SAMPLES = 10 * SAMPLE_RATE_HZ;

/** With more speech than this without text, a new connection has to catch up. */
const FAR_BEHIND_SAMPLES = 10 * SAMPLE_RATE_HZ;

/** With no more than this it has caught up: an open utterance may be as long. */
const CAUGHT_UP_SAMPLES = 5 * SAMPLE_RATE_HZ;

/** The server listens. */
export interface Connected {
	readonly type: 'connected';
	/** Whether it still knew the session, if there was one. */
	readonly resumed: boolean;
}

/**
 * Kept speech is sent faster than it was spoken; its text is so far behind. It comes about once a second after a connection
 * was lost for long, and with 0 at the end.
 */
export interface CatchingUp {
	readonly type: 'catching_up';
	readonly behindSeconds: number;
}

/** Speech that is lost for good; it comes once, after all finals before it. */
export interface Gap {
	readonly type: 'gap';
	readonly startSeconds: number;
	readonly endSeconds: number;
	/**
	 * `unreachable`: no server for longer than audio is kept; `too_slow`: the connection takes less audio than is spoken;
	 * `stopped`: the stream ended for another reason before its text was there.
	 */
	readonly code: string;
}

/** What a conversation tells the application. */
export type Told =
	Connected | CatchingUp | SpeechStarted | SpeechEnded | Partial | Final | Gap | Warning | Failed | Closed;

/** How the audio travels. */
export type Format = 'opus' | 'pcm16';

/**
 * Where a conversation stands with the connection that is there: `waiting`: nothing but the opening may be sent;
 * `misplaced`: the new session is not the one that was asked for: stop it and start another; `over`: every final is
 * there.
 */
export type State = 'waiting' | 'open' | 'misplaced' | 'over';

type Fields = Record<string, unknown>;

/** What counts only while the session is open and where it was asked for. */
const OF_PLACED_SESSIONS: ReadonlySet<string> = new Set(['progress', 'switch_format', 'final', 'partial']);

/** Where a session starts, and what it needn't tell. */
interface Place {
	readonly startSample: number;
	readonly safeSample: number;
}

/** Speech in, captions out. */
export class Conversation {
	readonly audio = new KeptAudio();
	#state: State = 'waiting';
	#parameters: StreamParameters;
	#format: Format;
	#safeSample = 0; // all speech before it has been told in finals
	#receivedSample = 0;
	#furthestSample = 0;
	readonly #losses = new Losses();
	#sentSample = 0; // up to where the session gets audio
	#hasSent = false; // since the connection is there
	#partialSample = 0; // the end of the newest partial
	#behindSeconds: number | null = null; // as reported last; null: not catching up
	#session: Ready | null = null;
	#lastResult = 0; // of this session
	#finals = 0; // of all sessions
	#utterance = 0; // of the newest final, as the application counts
	#utterancesBefore = 0; // those of sessions before this one
	readonly #cues: number[] = []; // where the application asked for a final
	#cuesSent = 0;
	#ackDue: number | null = null;
	#configureDue = false;
	#isConfigured = false;
	#askedPlace: Place | null = null; // by a whole query
	#isFinished = false;
	#isStopSent = false;

	/** @throws {@link AuricleError} `bad_parameters`. */
	constructor(parameters: StreamParameters, format: Format) {
		checkParameters(parameters);
		this.#parameters = parameters;
		this.#format = format;
	}

	/** Where it stands with the connection that is there. */
	get state(): State {
		return this.#state;
	}

	/** How the audio travels now. */
	get format(): Format {
		return this.#format;
	}

	/** All speech before it has been told in finals. */
	get safeSample(): number {
		return this.#safeSample;
	}

	/** The furthest that any session has received: the measure of real work done. */
	get furthestSample(): number {
		return this.#furthestSample;
	}

	/** Whether the last has been said, and the finals of it are to come. */
	get isStopSent(): boolean {
		return this.#isStopSent;
	}

	/** Whether the server owes us a word. */
	get isWaiting(): boolean {
		const unmarked = this.audio.nextSample - this.#receivedSample;
		return this.#state === 'waiting' || this.#isStopSent || unmarked > UNMARKED_SAMPLES;
	}

	/** Keeps no more audio than this; the oldest is dropped and reported as a gap. */
	limit(maxSamples: number): void {
		const { keptSamples, nextSample, safeSample } = this.audio;
		const isUnsent = this.#state === 'open' && nextSample <= safeSample;
		const isBlock = isUnsent && keptSamples > maxSamples;
		this.audio.dropAbove(maxSamples - (isBlock ? Math.min(DROP_SAMPLES, maxSamples / 4) : 0));
	}

	/** Returns what is missing for good if there is no further connection. */
	giveUp(code: string): Gap[] {
		this.#losses.note(this.#safeSample, this.audio.endSample, code);
		return this.#losses.due().map(gap);
	}

	/** Asks for a final of all that was said up to here. */
	finalize(): void {
		if (this.#cues.at(-1) !== this.audio.endSample) {
			this.#cues.push(this.audio.endSample);
		}
	}

	/** Changes what is asked of this session and of those after it. */
	configure(change: Change): void {
		const { language, prompt, endpointMilliseconds } = change;
		const parameters = {
			...this.#parameters,
			...(language === undefined ? {} : { language }),
			...(prompt === undefined ? {} : { prompt }),
			...(endpointMilliseconds === undefined ? {} : { endpointMilliseconds }),
		};
		checkParameters(parameters);
		this.#parameters = parameters;
		this.#isConfigured = this.#configureDue = true;
	}

	/** Sends samples from now on, for want of an encoder; frames that have a packet and wait need none. */
	switchToPcm(): void {
		if (this.#format !== 'pcm16') {
			this.#format = 'pcm16';
			this.#isConfigured = this.#configureDue = true;
			this.audio.dropWithoutPcm();
		}
	}

	/** Takes note that no more speech comes; idempotent. */
	finish(): void {
		this.#isFinished = true;
	}

	/**
	 * Returns what the address of the next connection says: that we come back, to which session (a load balancer sees
	 * by it which server has that), and what we ask of a new one if our own is gone. A prompt and hotwords are words of
	 * somebody's and don't belong into an address, and the session's secret never does.
	 */
	query(): Record<string, string> {
		if (this.#session === null) {
			return {};
		}
		const { prompt, hotwords } = this.#parameters;
		const isWhole = !prompt && !hotwords?.length;
		const { firstSample: startSample, safeSample } = this.audio;
		this.#askedPlace = isWhole ? { startSample, safeSample } : null;
		const asked: Record<string, string> = { resume: '1', session: this.#session.session };
		if (isWhole) {
			for (const [name, value] of Object.entries(this.#asked())) {
				asked[name] = typeof value === 'boolean' ? (value ? '1' : '0') : String(value);
			}
		}
		return asked;
	}

	/** Returns the first message of a new connection. */
	connected(): string {
		this.#state = 'waiting';
		this.#isStopSent = false;
		if (this.#session !== null) {
			const { session, secret } = this.#session;
			return JSON.stringify({ type: 'resume', session, secret, last_result: this.#lastResult });
		}
		return JSON.stringify({ type: 'start', ...this.#asked() });
	}

	/** Takes note that the connection is gone, for whatever reason. */
	disconnected(): void {
		if (this.#state !== 'over') {
			this.#state = 'waiting';
		}
		if (this.#session?.resumable === false) {
			this.#forgetSession();
		}
	}

	/** Returns what is to be sent next, or `null` if there is nothing to say. */
	nextMessage(): string | Uint8Array<ArrayBuffer> | null {
		if (this.#state === 'misplaced' && !this.#isStopSent) {
			return this.#stop();
		}
		if (this.#state !== 'open' || this.#isStopSent) {
			return null;
		}
		if (this.#configureDue) {
			this.#configureDue = false;
			return this.#configuration();
		}
		if (this.#ackDue !== null) {
			const result = this.#ackDue;
			this.#ackDue = null;
			return JSON.stringify({ type: 'ack', result });
		}
		return this.#nextOfTheStream();
	}

	/** Takes what the server says; returns what the application is to see of it. */
	receiveEvent(event: ServerEvent): Told[] {
		const events = [...this.#receive(event), ...this.#losses.due(this.#safeSample).map(gap)];
		return [...events, ...this.#catchingUp()];
	}

	#receive(event: ServerEvent): Told[] {
		if (this.#state !== 'open' && OF_PLACED_SESSIONS.has(event.type)) {
			return []; // of a session that started elsewhere: it says nothing of our audio
		}
		switch (event.type) {
			case 'ready':
				return this.#ready(event);
			case 'progress':
				this.#receivedSample = Math.max(this.#receivedSample, event.receivedSample);
				this.#furthestSample = Math.max(this.#furthestSample, this.#receivedSample);
				this.#noteSafe(event.safeSample);
				return [];
			case 'switch_format':
				if (event.format === 'pcm16') {
					this.switchToPcm();
				}
				return [];
			case 'final':
				return this.#final(event);
			case 'partial':
				this.#partialSample = Math.max(this.#partialSample, event.endSeconds * SAMPLE_RATE_HZ);
				return [{ ...event, utterance: event.utterance + this.#utterancesBefore }];
			case 'closed':
				return this.#closed(event);
			case 'warning':
				// A gap is of what was dropped here, and is reported with its place.
				return event.code === 'audio_gap' ? [] : [event];
			default:
				return [event];
		}
	}

	#ready(ready: Ready): Told[] {
		const isLost = this.#session !== null && !ready.resumed;
		if (isLost) {
			this.#forgetSession();
		}
		const { firstSample, safeSample } = this.audio;
		// Audio may have been dropped since, so compare with what was asked, not with what is kept.
		const asked = this.#askedPlace;
		const isAsked = ready.receivedSample === asked?.startSample && ready.safeSample === asked.safeSample;
		if (isLost && !isAsked) {
			this.#state = 'misplaced';
			return [];
		}
		this.#session = ready;
		this.#state = 'open';
		this.#receivedSample = ready.receivedSample;
		this.#cuesSent = 0; // what was asked before the connection broke may not have arrived
		this.#hasSent = false;
		const connected: Connected = { type: 'connected', resumed: ready.resumed };
		if (ready.resumed) {
			this.#configureDue = this.#isConfigured;
			this.#sentSample = ready.receivedSample;
			this.audio.rewind(ready.receivedSample);
		} else {
			// No server has what was dropped, and neither have we.
			this.#losses.note(this.#safeSample, safeSample, 'unreachable');
			this.#sentSample = firstSample;
			this.audio.rewind(firstSample);
			this.#safeSample = safeSample;
		}
		if (this.#behindSamples > FAR_BEHIND_SAMPLES) {
			this.#behindSeconds = Infinity;
		}
		return [connected];
	}

	/** How much speech has no text yet. */
	get #behindSamples(): number {
		return this.audio.endSample - Math.max(this.#safeSample, this.#partialSample);
	}

	/** Reports how far the text is behind, if that has changed by a second. */
	#catchingUp(): CatchingUp[] {
		if (this.#behindSeconds === null || this.#state !== 'open') {
			return [];
		}
		const behindSeconds = this.#behindSamples / SAMPLE_RATE_HZ;
		if (this.#behindSamples <= CAUGHT_UP_SAMPLES) {
			this.#behindSeconds = null;
			return [{ type: 'catching_up', behindSeconds: 0 }];
		}
		if (Math.abs(this.#behindSeconds - behindSeconds) < 1) {
			return [];
		}
		this.#behindSeconds = behindSeconds;
		return [{ type: 'catching_up', behindSeconds }];
	}

	#final(final: Final): Told[] {
		if (final.id <= this.#lastResult) {
			return []; // again, since our acknowledgement was lost
		}
		this.#lastResult = this.#ackDue = final.id;
		this.#finals++;
		this.#utterance = final.utterance + this.#utterancesBefore;
		this.#noteSafe(Math.round(final.endSeconds * SAMPLE_RATE_HZ));
		return [{ ...final, id: this.#finals, utterance: this.#utterance }];
	}

	#closed(closed: Closed): Told[] {
		if (this.#state === 'misplaced') {
			return [];
		}
		this.#forgetSession(); // all its finals are here
		if (!this.#isFinished || this.audio.unsentSamples > 0) {
			this.#state = 'waiting'; // the server ended it: what comes goes to another
			return [];
		}
		this.#state = 'over';
		return [...this.#losses.due().map(gap), closed];
	}

	/** Lets go of audio whose finals are here. */
	#noteSafe(sample: number): void {
		const safe = Math.min(sample, this.audio.nextSample); // never of what was not even sent
		this.#safeSample = Math.max(this.#safeSample, safe);
		this.audio.forget(this.#safeSample);
		while ((this.#cues[0] ?? Infinity) <= this.#safeSample) {
			this.#cues.shift();
			this.#cuesSent = Math.max(0, this.#cuesSent - 1);
		}
	}

	/** Returns what is asked of a new session, where it starts, and what it needn't tell. */
	#asked(): Fields {
		const asked = this.#parameters;
		const fields: Fields = {
			format: this.#format,
			sample_rate: SAMPLE_RATE_HZ,
			channels: 1,
			frame_ms: FRAME_MILLISECONDS,
			seq: true,
			language: asked.language,
			languages: asked.languages,
			task: asked.task,
			prompt: asked.prompt,
			hotwords: asked.hotwords,
			partials: asked.partials,
			endpoint_ms: asked.endpointMilliseconds,
			word_timestamps: asked.wordTimestamps,
			start_sample: this.audio.firstSample,
			safe_sample: this.audio.safeSample,
		};
		const isGiven = ([, value]: [string, unknown]): boolean =>
			value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0);
		return Object.fromEntries(Object.entries(fields).filter(isGiven));
	}

	/** Returns all that may have been changed since the session began: telling twice is safe. */
	#configuration(): string {
		const { language = null, prompt = null, endpointMilliseconds } = this.#parameters;
		const isPcm = this.#format === 'pcm16';
		return JSON.stringify({
			type: 'configure',
			language,
			prompt,
			endpoint_ms: endpointMilliseconds,
			format: isPcm ? this.#format : undefined,
			sample_rate: isPcm ? SAMPLE_RATE_HZ : undefined,
		});
	}

	#stop(): string {
		this.#isStopSent = true;
		return JSON.stringify({ type: 'stop' });
	}

	#forgetSession(): void {
		this.#session = null;
		this.#lastResult = 0;
		this.#ackDue = null;
		this.#configureDue = false;
		this.#utterancesBefore = this.#utterance;
	}

	/** Returns the next audio, or what is to be said at this place of it. */
	#nextOfTheStream(): string | Uint8Array<ArrayBuffer> | null {
		const cue = this.#cues[this.#cuesSent];
		if (cue !== undefined && cue <= this.audio.nextSample) {
			this.#cuesSent++;
			return JSON.stringify({ type: 'finalize' });
		}
		const frames = this.audio.nextFrames(MESSAGE_FRAMES, cue);
		const [first] = frames;
		if (first !== undefined) {
			this.#noteSent(first.startSample);
			return this.#packed(first, frames);
		}
		return this.#isFinished ? this.#stop() : null;
	}

	/** Takes note of what the session gets next, and of what was dropped before it. */
	#noteSent(startSample: number): void {
		this.#losses.note(this.#sentSample, startSample, this.#hasSent ? 'too_slow' : 'unreachable');
		this.#sentSample = Math.max(this.#sentSample, this.audio.nextSample);
		this.#hasSent = true;
	}

	#packed(first: Frame, frames: readonly Frame[]): Uint8Array<ArrayBuffer> {
		if (this.#format === 'pcm16') {
			const pieces = frames.flatMap(frame => frame.pcm ?? []);
			return createPositionedSamples(first.startSample, pieces);
		}
		const packets = frames.flatMap(frame => frame.packet ?? []);
		return createPacketFormatData(packets, { seq: first.seq % 2 ** 32 });
	}
}

function gap({ startSample, endSample, code }: Loss): Gap {
	return {
		type: 'gap',
		startSeconds: startSample / SAMPLE_RATE_HZ,
		endSeconds: endSample / SAMPLE_RATE_HZ,
		code,
	};
}
