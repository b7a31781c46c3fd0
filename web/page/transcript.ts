/**
 * A transcript with times, and the file formats for its download. Pure.
 *
 * `subtitle-layout.ts` turns lines into cues; each gap is one more cue of its duration. Both subtitle formats end a cue's
 * text at a blank line and give `-->` a meaning, so neither may come from speech; WebVTT reads `&` and `<` as markup.
 * Same output as the server's `auricle.protocol.subtitles`.
 */

import { layOut, settle, type Timed, USUAL_LIMITS } from './subtitle-layout.js';

/** A line of text with its times. */
export interface Line {
	readonly startSeconds: number;
	readonly endSeconds: number;
	readonly text: string;
	readonly language: string | null;
}

/** Missing speech, with the code of its reason. */
export interface GapLine {
	readonly startSeconds: number;
	readonly endSeconds: number;
	readonly gap: string;
}

/** A part of a transcript. */
export type TranscriptLine = Line | GapLine;

/** Describes missing speech in the page's language. */
export interface GapWords {
	text(line: GapLine): string;
	reason(line: GapLine): string;
}

/** Formats of a downloaded transcript. */
export type FileFormat = 'txt' | 'srt' | 'vtt' | 'json';

export const FILE_FORMATS: readonly FileFormat[] = ['txt', 'srt', 'vtt', 'json'];

/** Their MIME types. */
export const MEDIA_TYPES: Readonly<Record<FileFormat, string>> = {
	txt: 'text/plain',
	srt: 'application/x-subrip',
	vtt: 'text/vtt',
	json: 'application/json',
};

/** Returns the content of a file. */
export function formatTranscript(
	lines: readonly TranscriptLine[],
	format: FileFormat,
	words: GapWords,
): string {
	const spoken = lines.filter((line): line is Line => !isGap(line) && line.text.trim() !== '');
	const gaps = lines.filter(isGap);
	if (format === 'json') {
		return json(spoken, gaps, words);
	}
	const missing = gaps.map(gap => ({ ...gap, text: words.text(gap), language: null }));
	if (format === 'txt') {
		const lines = [...spoken, ...missing].sort((one, other) => one.startSeconds - other.startSeconds);
		return lines.map(({ text }) => `${text.trim()}\n`).join('');
	}
	const laidOut = layOut(
		spoken.map(line => [cue(line)]),
		USUAL_LIMITS,
	);
	return WRITERS[format](settle(laidOut, missing.map(cue)));
}

/** Returns whether a line is a gap. */
export function isGap(line: TranscriptLine): line is GapLine {
	return 'gap' in line;
}

/** Formats a time: `0:07`, `1:02:03`. */
export function clock(seconds: number): string {
	const whole = Math.max(0, Math.floor(seconds));
	const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
	const rest = padded(whole % 60, 2);
	return hours > 0 ? `${hours}:${padded(minutes, 2)}:${rest}` : `${minutes}:${rest}`;
}

function cue({ startSeconds, endSeconds, text }: Line): Timed {
	const begin = milliseconds(startSeconds);
	return { begin, end: Math.max(begin, milliseconds(endSeconds)), text };
}

const WRITERS: Readonly<Record<'srt' | 'vtt', (cues: readonly Timed[]) => string>> = {
	srt: cues =>
		cues
			.map(
				({ begin, end, text }, index) =>
					`${index + 1}\n${stamp(begin, ',')} --> ${stamp(end, ',')}\n${text.replace(/--+>/g, '->')}\n`,
			)
			.join('\n'),
	vtt: cues =>
		[
			'WEBVTT\n',
			...cues.map(
				({ begin, end, text }) => `${stamp(begin, '.')} --> ${stamp(end, '.')}\n${escaped(text)}\n`,
			),
		].join('\n'),
};

function json(lines: readonly Line[], missing: readonly GapLine[], words: GapWords): string {
	const segments = lines.map(line => ({ ...span(line), text: line.text.trim(), language: line.language }));
	const text = segments.map(segment => segment.text).join(' ');
	const gaps = missing.map(line => ({ ...span(line), code: line.gap, reason: words.reason(line) }));
	return `${JSON.stringify({ text, segments, gaps }, null, 2)}\n`;
}

function span({ startSeconds, endSeconds }: TranscriptLine): { start: number; end: number } {
	return { start: milliseconds(startSeconds) / 1000, end: milliseconds(endSeconds) / 1000 };
}

function escaped(text: string): string {
	return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function milliseconds(seconds: number): number {
	return Math.max(0, Math.round(seconds * 1000));
}

function stamp(milliseconds: number, point: string): string {
	const seconds = Math.floor(milliseconds / 1000);
	const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
	return parts.map(part => padded(part, 2)).join(':') + point + padded(milliseconds % 1000, 3);
}

function padded(value: number, digits: number): string {
	return String(value).padStart(digits, '0');
}
