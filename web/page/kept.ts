/** Transcripts that the browser keeps: their form and the limits for them. Pure. */

import { isGap, type TranscriptLine } from './transcript.js';

/** A transcript that survives a reload, a crash of the tab and the end of the browser. */
export interface KeptTranscript {
	readonly id: string;
	readonly kind: 'captions' | 'recording';
	/** File name of a recording; empty for captions. */
	readonly name: string;
	/** Time of the last change, in milliseconds since 1970. */
	readonly changedAt: number;
	/** Time of the first version, if it is known. */
	readonly createdAt?: number;
	/** Model of a recording's transcript, if it is known. */
	readonly model?: string;
	readonly lines: readonly TranscriptLine[];
	/** ID of the server's job for a recording; `null` as soon as its result is in `lines`. */
	readonly job: string | null;
	/** IDs of the server's transcripts of the same speech, if it keeps any. */
	readonly onServer?: readonly string[];
}

/** Limits for all kept transcripts together. */
export interface KeepLimits {
	readonly transcripts: number;
	readonly bytes: number;
	readonly milliseconds: number;
}

export const KEEP_LIMITS: KeepLimits = {
	transcripts: 50,
	bytes: 60_000_000, // 3 hours of speech with its words are 3 MB
	milliseconds: 30 * 24 * 3600 * 1000,
};

/** Estimated size of a line or a word without its text. */
const LINE_BYTES = 64;
const EXCERPT_LINES = 3;

/** Returns stored records as transcripts, the newest first, without those that are not transcripts. */
export function parseKept(records: readonly unknown[]): KeptTranscript[] {
	return records.filter(isKept).sort((one, other) => other.changedAt - one.changedAt);
}

/**
 * Returns the IDs of the transcripts beyond the limits. The newest one always stays.
 *
 * @param kept - The newest first.
 * @param now - In milliseconds since 1970.
 * @param limits - The limits.
 */
export function beyondLimits(kept: readonly KeptTranscript[], now: number, limits = KEEP_LIMITS): string[] {
	let bytes = 0;
	return kept
		.filter((transcript, index) => {
			bytes += estimatedBytes(transcript);
			const isOld = now - transcript.changedAt > limits.milliseconds;
			return index > 0 && (isOld || index >= limits.transcripts || bytes > limits.bytes);
		})
		.map(({ id }) => id);
}

/** Returns the beginning of a transcript. */
export function excerpt({ lines }: KeptTranscript): string {
	const spoken = lines.flatMap(line => (isGap(line) ? [] : [line.text]));
	return spoken.slice(0, EXCERPT_LINES).join(' ');
}

/** Returns when a transcript was made, as a date and time in a language. */
export function keptTime({ changedAt, createdAt }: KeptTranscript, language: string): string {
	const style = { dateStyle: 'medium', timeStyle: 'short' } as const;
	return new Intl.DateTimeFormat(language, style).format(createdAt ?? changedAt);
}

function estimatedBytes({ lines }: KeptTranscript): number {
	return lines.reduce((sum, line) => {
		const words = isGap(line) ? [] : (line.words ?? []);
		const text = isGap(line) ? '' : line.text;
		return sum + LINE_BYTES * (1 + words.length) + 2 * text.length * (words.length > 0 ? 2 : 1);
	}, 0);
}

function isKept(value: unknown): value is KeptTranscript {
	if (typeof value !== 'object' || value === null) {
		return false;
	}
	const { id, kind, name, changedAt, createdAt, model, lines, job, onServer } = value as Readonly<
		Record<string, unknown>
	>;
	return (
		typeof id === 'string' &&
		(kind === 'captions' || kind === 'recording') &&
		typeof name === 'string' &&
		typeof changedAt === 'number' &&
		(createdAt === undefined || typeof createdAt === 'number') &&
		(model === undefined || typeof model === 'string') &&
		(job === null || typeof job === 'string') &&
		(onServer === undefined ||
			(Array.isArray(onServer) && onServer.every(each => typeof each === 'string'))) &&
		Array.isArray(lines) &&
		lines.every(isLine)
	);
}

function isLine(value: unknown): boolean {
	if (typeof value !== 'object' || value === null) {
		return false;
	}
	const { startSeconds, endSeconds, text, language, gap, speaker, speakerName, words, startsParagraph } =
		value as Readonly<Record<string, unknown>>;
	const isText =
		typeof text === 'string' &&
		(words === undefined || (Array.isArray(words) && words.every(isWord))) &&
		(language === null || typeof language === 'string') &&
		(speaker === undefined || typeof speaker === 'number') &&
		(speakerName === undefined || typeof speakerName === 'string') &&
		(startsParagraph === undefined || typeof startsParagraph === 'boolean');
	return (
		typeof startSeconds === 'number' &&
		typeof endSeconds === 'number' &&
		(gap === undefined ? isText : typeof gap === 'string')
	);
}

function isWord(value: unknown): boolean {
	const { startSeconds, endSeconds, text } = (value ?? {}) as Readonly<Record<string, unknown>>;
	return typeof startSeconds === 'number' && typeof endSeconds === 'number' && typeof text === 'string';
}
