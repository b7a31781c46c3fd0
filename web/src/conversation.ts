/**
 * One stream of speech, over any number of sessions and connections. Pure.
 *
 * Messages of a connection are passed to {@link Conversation.receiveEvent}; {@link Conversation.nextMessage} returns the
 * messages to send. The rest makes captions survive a lost connection and even a server restart:
 *
 * - A connection starts with `start`, or with `resume` if there is a session to resume. Audio waits for `ready`, which
 *   says where to continue.
 * - A resumed session continues with the audio that it has not received. A new session, after the server lost the old
 *   one, gets the position up to which all finals have arrived, and some seconds of audio before it as context. It
 *   therefore finds the same utterances as the old session.
 * - Each final is reported once: a session's finals are counted by their `id`, and their audio is never sent to another
 *   session. Numbers for the application increase over all sessions.
 *
 * Same behaviour as the server's Python client (`auricle.client.conversation`).
 */

import { FRAME_MILLISECONDS, SAMPLE_RATE_HZ } from './audio-format.js';
import type {
	Closed,
	EagerFinal,
	Failed,
	Final,
	Partial,
	Ready,
	ServerEvent,
	SpeakerRevision,
} from './events.js';
import { SpeakerNumbers } from './speaker-numbers.js';
import type { SpeechEnded, SpeechStarted, TurnResumed, Warning } from './events.js';
import { type Frame, KeptAudio } from './kept-audio.js';
import { type Loss, Losses } from './losses.js';
import { checkParameters, type Change, type StreamParameters } from './parameters.js';
import { createPacketFormatData, createPositionedSamples } from './wire.js';

/** Duration of the messages in which a backlog is sent: one second. */
export const MESSAGE_FRAMES = 1000 / FRAME_MILLISECONDS;

/** A server acknowledges audio about every second; twice that without an acknowledgement is too long. */
export const UNMARKED_SAMPLES = 2 * SAMPLE_RATE_HZ;

/**
 * Audio that cannot be sent in real time is dropped in blocks: one long gap costs fewer words than many short ones.
 */
const DROP_SAMPLES = 10 * SAMPLE_RATE_HZ;

/** With more speech than this without text, a new connection must catch up. */
const FAR_BEHIND_SAMPLES = 10 * SAMPLE_RATE_HZ;

/** With no more than this it has caught up: an open utterance may be as long. */
const CAUGHT_UP_SAMPLES = 5 * SAMPLE_RATE_HZ;

/** The server is ready. */
export interface Connected {
	readonly type: 'connected';
	/** Its ID, by which others can read it; a new one if the server has lost the previous session. */
	readonly session: string;
	/** Whether the server still had the session, if there was one. */
	readonly resumed: boolean;
}

/**
 * Kept speech is sent faster than real time; its text is delayed by this time. Emitted about once a second after a long
 * outage, and with 0 at the end.
 */
export interface CatchingUp {
	readonly type: 'catching_up';
	readonly behindSeconds: number;
}

/** Speech that is lost for good; reported once, after all finals before it. */
export interface Gap {
	readonly type: 'gap';
	readonly startSeconds: number;
	readonly endSeconds: number;
	/**
	 * `unreachable`: no server for longer than audio is kept; `too_slow`: the connection is slower than real time;
	 * `stopped`: the stream ended for another reason before the text arrived.
	 */
	readonly code: string;
}

/** Events for the application. */
export type ReportedEvent =
	| Connected
	| CatchingUp
	| SpeechStarted
	| SpeechEnded
	| Partial
	| EagerFinal
	| TurnResumed
	| Final
	| SpeakerRevision
	| Gap
	| Warning
	| Failed
	| Closed;

/** Audio format on the wire. */
export type Format = 'opus' | 'pcm16';

/**
 * State of the current connection: `waiting`: only the first message may be sent; `misplaced`: the new session is not the
 * requested one: stop it and start another; `over`: all finals have arrived.
 */
export type State = 'waiting' | 'open' | 'misplaced' | 'over';

type Fields = Record<string, unknown>;

/** Messages that are valid only while the session is open and at the requested position. */
const OF_PLACED_SESSIONS: ReadonlySet<string> = new Set([
	'progress',
	'switch_format',
	'final',
	'speaker_revision',
	'partial',
	'eager_final',
	'turn_resumed',
]);

/** Where a session starts, and which part it need not report. */
interface Place {
	readonly startSample: number;
	readonly safeSample: number;
}

/** Sends speech and receives captions. */
export class Conversation {
	readonly audio = new KeptAudio();
	#state: State = 'waiting';
	#parameters: StreamParameters;
	#format: Format;
	#safeSample = 0; // finals of all speech before it have arrived
	#receivedSample = 0;
	#furthestSample = 0;
	readonly #losses = new Losses();
	#sentSample = 0; // position up to which the session gets audio
	#hasSent = false; // on this connection
	#partialSample = 0; // the end of the newest partial
	#behindSeconds: number | null = null; // last reported value; null: not catching up
	readonly #waiter = Math.random().toString(36).slice(2);
	/** The session that the next one continues for its readers; empty if there is none. */
	#lost: { readonly session?: string; readonly secret?: string } = {};
	#session: Ready | null = null;
	#lastResult = 0; // of this session
	#finals = 0; // of all sessions
	#utterance = 0; // of the newest final, in the application's numbering
	#utterancesBefore = 0; // utterances of earlier sessions
	readonly #speakers = new SpeakerNumbers();
	readonly #cues: number[] = []; // where the application requested a final
	#cuesSent = 0;
	#ackDue: number | null = null;
	#configureDue = false;
	#isConfigured = false;
	#requestedPlace: Place | null = null; // requested by a complete query
	#isFinished = false;
	#isStopSent = false;

	/** @throws {@link AuricleError} `bad_parameters`. */
	constructor(parameters: StreamParameters, format: Format) {
		checkParameters(parameters);
		this.#parameters = parameters;
		this.#format = format;
	}

	/** State of the current connection. */
	get state(): State {
		return this.#state;
	}

	/** The current audio format. */
	get format(): Format {
		return this.#format;
	}

	/** Position before which all finals have arrived. */
	get safeSample(): number {
		return this.#safeSample;
	}

	/** The furthest position that any session has received: the measure of progress. */
	get furthestSample(): number {
		return this.#furthestSample;
	}

	/** Whether the speech has ended and its finals are pending. */
	get isStopSent(): boolean {
		return this.#isStopSent;
	}

	/** Whether the server owes a message. */
	get isWaiting(): boolean {
		const unmarked = this.audio.nextSample - this.#receivedSample;
		return this.#state === 'waiting' || this.#isStopSent || unmarked > UNMARKED_SAMPLES;
	}

	/** Limits the kept audio; the oldest is dropped and reported as a gap. */
	limit(maxSamples: number): void {
		const { keptSamples, nextSample, safeSample } = this.audio;
		const isUnsent = this.#state === 'open' && nextSample <= safeSample;
		const isBlock = isUnsent && keptSamples > maxSamples;
		this.audio.dropAbove(maxSamples - (isBlock ? Math.min(DROP_SAMPLES, maxSamples / 4) : 0));
	}

	/** Returns the gaps that remain if there is no further connection. */
	giveUp(code: string): Gap[] {
		this.#losses.note(this.#safeSample, this.audio.endSample, code);
		return this.#losses.due().map(gap);
	}

	/** Requests a final of all speech so far. */
	finalize(): void {
		if (this.#cues.at(-1) !== this.audio.endSample) {
			this.#cues.push(this.audio.endSample);
		}
	}

	/** Changes the parameters of this session and of later ones. */
	configure(change: Change): void {
		const isGiven = ([, value]: [string, unknown]): boolean => value !== undefined;
		const given: Change = Object.fromEntries(Object.entries(change).filter(isGiven));
		const parameters = { ...this.#parameters, ...given };
		checkParameters(parameters);
		this.#parameters = parameters;
		this.#isConfigured = this.#configureDue = true;
	}

	/** Sends samples from now on, without an encoder; waiting frames with a packet are sent as samples, too. */
	switchToPcm(): void {
		if (this.#format !== 'pcm16') {
			this.#format = 'pcm16';
			this.#isConfigured = this.#configureDue = true;
			this.audio.dropWithoutPcm();
		}
	}

	/** Ends the speech; idempotent. */
	finish(): void {
		this.#isFinished = true;
	}

	/**
	 * Returns the query of the next connection's address: an ID, with which the client keeps its position after a refusal,
	 * that it resumes, which session (a load balancer uses it to select the server), and the parameters of a new session if
	 * the old one is gone. Prompt and hotwords are private and never part of an address, and neither is the session's secret.
	 */
	query(): Record<string, string> {
		if (this.#session === null) {
			const { session } = this.#lost;
			return { waiter: this.#waiter, ...(session && { session }) };
		}
		const { prompt, hotwords } = this.#parameters;
		const isWhole = !prompt && !hotwords?.length;
		const { firstSample: startSample, safeSample } = this.audio;
		this.#requestedPlace = isWhole ? { startSample, safeSample } : null;
		const query: Record<string, string> = {
			resume: '1',
			session: this.#session.session,
			waiter: this.#waiter,
		};
		if (isWhole) {
			for (const [name, value] of Object.entries(this.#startFields())) {
				query[name] = typeof value === 'boolean' ? (value ? '1' : '0') : String(value);
			}
		}
		return query;
	}

	/** Returns the first message of a new connection. */
	connected(): string {
		this.#state = 'waiting';
		this.#isStopSent = false;
		if (this.#session !== null) {
			const { session, secret } = this.#session;
			return JSON.stringify({ type: 'resume', session, secret, last_result: this.#lastResult });
		}
		return JSON.stringify({ type: 'start', ...this.#startFields(), ...this.#lost });
	}

	/** Records that the connection was lost, for any reason. */
	disconnected(): void {
		if (this.#state !== 'over') {
			this.#state = 'waiting';
		}
		if (this.#session?.resumable === false) {
			this.#forgetSession();
		}
	}

	/** Returns the next message, or `null` if there is none. */
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

	/** Handles a message of the server; returns the events for the application. */
	receiveEvent(event: ServerEvent): ReportedEvent[] {
		const events = [...this.#receive(event), ...this.#losses.due(this.#safeSample).map(gap)];
		return [...events, ...this.#catchingUp()];
	}

	#receive(event: ServerEvent): ReportedEvent[] {
		if (this.#state !== 'open' && OF_PLACED_SESSIONS.has(event.type)) {
			return []; // of a session at another position: it does not describe our audio
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
			case 'speaker_revision':
				return this.#speakers.revision(event);
			case 'partial':
				this.#partialSample = Math.max(this.#partialSample, event.endSeconds * SAMPLE_RATE_HZ);
				return [{ ...event, utterance: event.utterance + this.#utterancesBefore }];
			case 'eager_final':
			case 'turn_resumed':
				return [{ ...event, utterance: event.utterance + this.#utterancesBefore }];
			case 'closed':
				return this.#closed(event);
			case 'warning':
				// A gap is caused by audio dropped here, and is reported with its position.
				return event.code === 'audio_gap' ? [] : [event];
			default:
				return [event];
		}
	}

	#ready(ready: Ready): ReportedEvent[] {
		const lost = ready.resumed ? null : this.#session;
		if (lost !== null) {
			this.#lost = { session: lost.session, secret: lost.secret };
			this.#forgetSession();
		}
		const { firstSample, safeSample } = this.audio;
		// Audio may have been dropped since, so compare with the request, not with the kept audio.
		const requested = this.#requestedPlace;
		const isAsRequested =
			ready.receivedSample === requested?.startSample && ready.safeSample === requested.safeSample;
		if (lost !== null && !isAsRequested) {
			this.#state = 'misplaced';
			return [];
		}
		this.#session = ready;
		this.#lost = {};
		this.#state = 'open';
		this.#receivedSample = ready.receivedSample;
		this.#cuesSent = 0; // requests before the connection was lost may not have arrived
		this.#hasSent = false;
		const connected: Connected = { type: 'connected', session: ready.session, resumed: ready.resumed };
		if (ready.resumed) {
			this.#configureDue = this.#isConfigured;
			this.#sentSample = ready.receivedSample;
			this.audio.rewind(ready.receivedSample);
		} else {
			// Neither the server nor the client has the dropped audio.
			this.#losses.note(this.#safeSample, safeSample, 'unreachable');
			this.#sentSample = firstSample;
			this.audio.rewind(firstSample);
			this.#safeSample = safeSample;
			this.#speakers.startSession(ready.speakersContinue);
		}
		if (this.#behindSamples > FAR_BEHIND_SAMPLES) {
			this.#behindSeconds = Infinity;
		}
		return [connected];
	}

	/** Amount of speech without text. */
	get #behindSamples(): number {
		return this.audio.endSample - Math.max(this.#safeSample, this.#partialSample);
	}

	/** Reports the delay of the text, if it has changed by a second. */
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

	#final(final: Final): ReportedEvent[] {
		if (final.id <= this.#lastResult) {
			return []; // a repetition, since our acknowledgement was lost
		}
		this.#lastResult = this.#ackDue = final.id;
		this.#finals++;
		this.#utterance = final.utterance + this.#utterancesBefore;
		this.#noteSafe(Math.round(final.endSeconds * SAMPLE_RATE_HZ));
		return [{ ...this.#speakers.final(final, this.#finals), utterance: this.#utterance }];
	}

	#closed(closed: Closed): ReportedEvent[] {
		if (this.#state === 'misplaced') {
			return [];
		}
		this.#forgetSession(); // all its finals have arrived
		if (!this.#isFinished || this.audio.unsentSamples > 0) {
			this.#state = 'waiting'; // the server ended it: later audio goes to another session
			return [];
		}
		this.#state = 'over';
		return [...this.#losses.due().map(gap), closed];
	}

	/** Drops audio whose finals have arrived. */
	#noteSafe(sample: number): void {
		const safe = Math.min(sample, this.audio.nextSample); // never audio that was not sent
		this.#safeSample = Math.max(this.#safeSample, safe);
		this.audio.forget(this.#safeSample);
		while ((this.#cues[0] ?? Infinity) <= this.#safeSample) {
			this.#cues.shift();
			this.#cuesSent = Math.max(0, this.#cuesSent - 1);
		}
	}

	/** Returns the parameters of a new session, where it starts, and which part it need not report. */
	#startFields(): Fields {
		const parameters = this.#parameters;
		const fields: Fields = {
			format: this.#format,
			sample_rate: SAMPLE_RATE_HZ,
			channels: 1,
			frame_ms: FRAME_MILLISECONDS,
			seq: true,
			model: parameters.model,
			language: parameters.language,
			languages: parameters.languages,
			strict_language: parameters.strictLanguage,
			task: parameters.task,
			prompt: parameters.prompt,
			hotwords: parameters.hotwords,
			vocabulary: parameters.vocabulary,
			partials: parameters.partials,
			endpoint_ms: parameters.endpointMilliseconds,
			word_timestamps: parameters.wordTimestamps,
			speakers: parameters.speakers,
			num_speakers: parameters.numSpeakers,
			turn_detection: parameters.turnDetection,
			turn_threshold: parameters.turnThreshold,
			turn_eager_threshold: parameters.turnEagerThreshold,
			turn_limit_ms: parameters.turnLimitMilliseconds,
			max_lag_s: parameters.maxLagSeconds,
			start_sample: this.audio.firstSample,
			safe_sample: this.audio.safeSample,
		};
		const isGiven = ([, value]: [string, unknown]): boolean =>
			value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0);
		return Object.fromEntries(Object.entries(fields).filter(isGiven));
	}

	/** Returns all parameters that may have changed since the session started; repeating them is safe. */
	#configuration(): string {
		const { model, language = null, task, prompt = null, hotwords, endpointMilliseconds } = this.#parameters;
		const isPcm = this.#format === 'pcm16';
		return JSON.stringify({
			type: 'configure',
			model,
			language,
			task,
			prompt,
			hotwords,
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

	/** Returns the next audio, or the message due at this position. */
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

	/** Records the position of the next audio, and the audio dropped before it. */
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
