/**
 * The server's messages as typed values. Pure.
 *
 * Types keep their names on the wire; field names are spelled out. Unknown types and fields are ignored, so that newer
 * servers can add some.
 */

import { AuricleError } from './errors.js';

/** The session has started. The secret proves that it is ours: it is never shown or logged. */
export interface Ready {
	readonly type: 'ready';
	readonly session: string;
	readonly secret: string;
	/** Whether it is the requested session. */
	readonly resumed: boolean;
	readonly resumable: boolean;
	/** The next sample that the server expects. */
	readonly receivedSample: number;
	readonly safeSample: number;
	/** The model that transcribes; empty: a server that does not tell it. */
	readonly model: string;
	/** Whether a new session continues the numbers of the lost session's speakers. */
	readonly speakersContinue: boolean;
}

/** Speech has started. */
export interface SpeechStarted {
	readonly type: 'speech_started';
	readonly atSeconds: number;
}

/** An utterance has ended; its final follows. */
export interface SpeechEnded {
	readonly type: 'speech_ended';
	readonly atSeconds: number;
}

/** Hypothesis for an open utterance. Show both texts, one after the other, instead of the previous partial. */
export interface Partial {
	readonly type: 'partial';
	readonly utterance: number;
	/** Only grows while the utterance is open. The final may change case, punctuation, and rarely a word: see `revised`. */
	readonly stable: string;
	/** May still change. */
	readonly unstable: string;
	readonly startSeconds: number;
	readonly endSeconds: number;
}

/** A word and its time in the stream. */
export interface Word {
	readonly startSeconds: number;
	readonly endSeconds: number;
	/** With the preceding space, if there is one. */
	readonly text: string;
	readonly probability: number;
	/** Number of the speaker, if known. */
	readonly speaker: number | null;
}

/** A part of a final that one speaker says. */
export interface SpeakerSegment {
	readonly startSeconds: number;
	readonly endSeconds: number;
	readonly text: string;
	/** From 0; `null` if unknown. */
	readonly speaker: number | null;
}

/** A speaker whose voice the server knows. */
export interface KnownSpeaker {
	/** Number, from 0. */
	readonly number: number;
	readonly name: string;
}

/** Text of an utterance; it replaces the partials. Each final arrives once, over all connections. */
export interface Final {
	readonly type: 'final';
	/** Counts from 1, without gaps. */
	readonly id: number;
	readonly utterance: number;
	/** Empty if there was no text, or if the utterance could not be recognised. */
	readonly text: string;
	readonly startSeconds: number;
	readonly endSeconds: number;
	readonly language: string | null;
	/** If requested. */
	readonly words: readonly Word[] | null;
	/** Time from the arrival of the last sample to this event, in the server. */
	readonly latencyMilliseconds: number;
	/** Whether a stable word changed (not just case or punctuation): the text does not start with the last `stable`. */
	readonly revised: boolean;
	/** Code of the error if this utterance could not be recognised; the stream continues. */
	readonly error: string | null;
	/** Number of the speaker who says most of it, from 0; `null` if speakers were not requested or are not known yet. */
	readonly speaker: number | null;
	/** Its parts by speaker: one, or more if the speaker changes; `null` like `speaker`. */
	readonly segments: readonly SpeakerSegment[] | null;
	/** Those of its speakers whose names the server knows. */
	readonly speakers: readonly KnownSpeaker[];
	/** Probability that the speaker had finished; `null` if it was not judged. */
	readonly endOfTurn: number | null;
	/**
	 * What ended the turn: `model`, `manual` or `timeout`; `null` without turn detection, or if the turn continues in the
	 * next utterance.
	 */
	readonly trigger: string | null;
	/** The text before a vocabulary corrected it; `null` if it did not. */
	readonly original: string | null;
}

/**
 * The text of an open utterance whose speaker has probably finished. The final has the same text, unless a
 * {@link TurnResumed} comes first. After a lost connection, neither may come.
 */
export interface EagerFinal {
	readonly type: 'eager_final';
	readonly utterance: number;
	/** Never empty. */
	readonly text: string;
	readonly startSeconds: number;
	readonly endSeconds: number;
	readonly language: string | null;
	/** If requested. */
	readonly words: readonly Word[] | null;
	/** Probability that the speaker has finished. */
	readonly probability: number;
}

/** The speaker of the last {@link EagerFinal} continues; the final will have another text. */
export interface TurnResumed {
	readonly type: 'turn_resumed';
	readonly utterance: number;
}

/** The speakers of a final that arrived before. */
export interface FinalSpeakers {
	/** Its `id`. */
	readonly id: number;
	readonly speaker: number | null;
	readonly segments: readonly SpeakerSegment[];
	readonly speakers: readonly KnownSpeaker[];
}

/** Finals whose speakers became known or have changed; their texts and times are the same. */
export interface SpeakerRevision {
	readonly type: 'speaker_revision';
	readonly finals: readonly FinalSpeakers[];
}

/** Positions up to which audio was received, and up to which the client may drop it. */
export interface Progress {
	readonly type: 'progress';
	readonly receivedSample: number;
	readonly safeSample: number;
}

/** A problem that does not end the stream. */
export interface Warning {
	readonly type: 'warning';
	/** The server's `audio_gap`, `audio_dropped`, `slow`, `format_mismatch`, `decode_errors`,
	 * `ignored_option`, `similar_channels`, `language_improbable`, `speakers_unavailable`, `turns_unavailable`; ours: `encoder_failed`. */
	readonly code: string;
	/** A sentence. */
	readonly message: string;
	readonly gapMilliseconds: number | null;
}

/** The server requests another format. */
export interface SwitchFormat {
	readonly type: 'switch_format';
	readonly format: string;
	readonly reason: string;
}

/** A message from the client was invalid, or the connection ends. */
export interface Failed {
	readonly type: 'error';
	readonly code: string;
	readonly message: string;
	readonly retryable: boolean;
	readonly retryAfterSeconds: number | null;
}

/** The last session has ended and all finals have arrived. */
export interface Closed {
	readonly type: 'closed';
	readonly reason: string;
	/** Totals of the last session. */
	readonly audioSeconds: number;
	readonly packets: number;
	readonly lostPackets: number;
	readonly decodeErrors: number;
}

/** All messages of the server. */
export type ServerEvent =
	| Ready
	| SpeechStarted
	| SpeechEnded
	| Partial
	| EagerFinal
	| TurnResumed
	| Final
	| SpeakerRevision
	| Progress
	| Warning
	| SwitchFormat
	| Failed
	| Closed;

/**
 * Parses a server's message; `null` for an unknown type.
 *
 * @throws {@link AuricleError} `bad_message`: it is malformed.
 */
export function parseEvent(text: string): ServerEvent | null {
	const message = new Fields(parsed(text));
	const type = message.string('type');
	switch (type) {
		case 'ready':
			return {
				type,
				session: message.string('session'),
				secret: message.string('secret'),
				resumed: message.boolean('resumed'),
				resumable: message.boolean('resumable'),
				receivedSample: message.number('received'),
				safeSample: message.number('safe'),
				model: message.stringOrNull('model') ?? '',
				speakersContinue: message.booleanOrNull('speakers_continue') ?? false,
			};
		case 'speech_started':
		case 'speech_ended':
			return { type, atSeconds: message.number('at_s') };
		case 'partial':
			return {
				type,
				utterance: message.number('utterance'),
				stable: message.string('stable'),
				unstable: message.string('unstable'),
				startSeconds: message.number('start_s'),
				endSeconds: message.number('end_s'),
			};
		case 'final':
			return {
				type,
				id: message.number('id'),
				utterance: message.number('utterance'),
				text: message.string('text'),
				startSeconds: message.number('start_s'),
				endSeconds: message.number('end_s'),
				language: message.stringOrNull('language'),
				words: message.listOrNull('words')?.map(word) ?? null,
				latencyMilliseconds: message.number('latency_ms'),
				revised: message.boolean('revised'),
				error: message.stringOrNull('error'),
				speaker: message.numberOrNull('speaker'),
				segments: message.listOrNull('segments')?.map(segment) ?? null,
				speakers: (message.listOrNull('speakers') ?? []).map(knownSpeaker),
				endOfTurn: message.numberOrNull('end_of_turn'),
				trigger: message.stringOrNull('trigger'),
				original: message.stringOrNull('original'),
			};
		case 'eager_final':
			return {
				type,
				utterance: message.number('utterance'),
				text: message.string('text'),
				startSeconds: message.number('start_s'),
				endSeconds: message.number('end_s'),
				language: message.stringOrNull('language'),
				words: message.listOrNull('words')?.map(word) ?? null,
				probability: message.number('probability'),
			};
		case 'turn_resumed':
			return { type, utterance: message.number('utterance') };
		case 'speaker_revision':
			return { type, finals: (message.listOrNull('finals') ?? []).map(finalSpeakers) };
		case 'progress':
			return { type, receivedSample: message.number('received'), safeSample: message.number('safe') };
		case 'warning':
			return {
				type,
				code: message.string('code'),
				message: message.string('message'),
				gapMilliseconds: message.numberOrNull('gap_ms'),
			};
		case 'switch_format':
			return { type, format: message.string('format'), reason: message.string('reason') };
		case 'error':
			return {
				type,
				code: message.string('code'),
				message: message.string('message'),
				retryable: message.boolean('retryable'),
				retryAfterSeconds: message.numberOrNull('retry_after_s'),
			};
		case 'closed':
			return {
				type,
				reason: message.string('reason'),
				audioSeconds: message.number('audio_s'),
				packets: message.number('packets'),
				lostPackets: message.number('lost_packets'),
				decodeErrors: message.number('decode_errors'),
			};
		default:
			return null;
	}
}

function word(value: unknown): Word {
	const fields = new Fields(value);
	return {
		startSeconds: fields.number('start'),
		endSeconds: fields.number('end'),
		text: fields.string('word'),
		probability: fields.number('probability'),
		speaker: fields.numberOrNull('speaker'),
	};
}

function segment(value: unknown): SpeakerSegment {
	const fields = new Fields(value);
	return {
		startSeconds: fields.number('start'),
		endSeconds: fields.number('end'),
		text: fields.string('text'),
		speaker: fields.numberOrNull('speaker'),
	};
}

function finalSpeakers(value: unknown): FinalSpeakers {
	const fields = new Fields(value);
	return {
		id: fields.number('id'),
		speaker: fields.numberOrNull('speaker'),
		segments: (fields.listOrNull('segments') ?? []).map(segment),
		speakers: (fields.listOrNull('speakers') ?? []).map(knownSpeaker),
	};
}

function knownSpeaker(value: unknown): KnownSpeaker {
	const fields = new Fields(value);
	return { number: fields.number('speaker'), name: fields.string('name') };
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		throw badMessage();
	}
}

function badMessage(): AuricleError {
	return new AuricleError('bad_message', 'The server sent an invalid message.');
}

/** Reads an object's fields and checks their types. */
class Fields {
	readonly #fields: Readonly<Record<string, unknown>>;

	constructor(value: unknown) {
		if (typeof value !== 'object' || value === null) {
			throw badMessage();
		}
		this.#fields = value as Record<string, unknown>;
	}

	string(name: string): string {
		const value = this.stringOrNull(name);
		if (value === null) throw badMessage();
		return value;
	}

	stringOrNull(name: string): string | null {
		const value = this.#fields[name] ?? null;
		if (value !== null && typeof value !== 'string') throw badMessage();
		return value;
	}

	number(name: string): number {
		const value = this.numberOrNull(name);
		if (value === null) throw badMessage();
		return value;
	}

	numberOrNull(name: string): number | null {
		const value = this.#fields[name] ?? null;
		if (value !== null && typeof value !== 'number') throw badMessage();
		return value;
	}

	boolean(name: string): boolean {
		const value = this.booleanOrNull(name);
		if (value === null) throw badMessage();
		return value;
	}

	booleanOrNull(name: string): boolean | null {
		const value = this.#fields[name] ?? null;
		if (value !== null && typeof value !== 'boolean') throw badMessage();
		return value;
	}

	listOrNull(name: string): readonly unknown[] | null {
		const value = this.#fields[name] ?? null;
		if (value !== null && !Array.isArray(value)) throw badMessage();
		return value;
	}
}
