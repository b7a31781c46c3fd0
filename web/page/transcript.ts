/**
 * What was said and when, and the files that it can be taken home in. Pure.
 *
 * One cue for each line that has text and for each gap, in order of time, none over another. Both formats of subtitles end a cue's text
 * at a blank line and give `-->` a meaning, so neither may come through from speech; WebVTT reads `&` and `<` as markup.
 * It does the same as the server's own `auricle.protocol.subtitles`.
 */

/** Something that was said. */
export interface Line {
	readonly startSeconds: number;
	readonly endSeconds: number;
	readonly text: string;
	readonly language: string | null;
}

/** Where speech is missing, and the code that says why. */
export interface GapLine {
	readonly startSeconds: number;
	readonly endSeconds: number;
	readonly gap: string;
}

/** A part of a transcript. */
export type TranscriptLine = Line | GapLine;

/** Says in the reader's language what is missing, and why. */
export interface GapWords {
	text(line: GapLine): string;
	reason(line: GapLine): string;
}

/** What a file can be. */
export type FileFormat = 'txt' | 'srt' | 'vtt' | 'json';

export const FILE_FORMATS: readonly FileFormat[] = ['txt', 'srt', 'vtt', 'json'];

/** Their types. */
export const MEDIA_TYPES: Readonly<Record<FileFormat, string>> = {
	txt: 'text/plain',
	srt: 'application/x-subrip',
	vtt: 'text/vtt',
	json: 'application/json',
};

/** A cue that ends where it starts is not allowed in WebVTT and not seen in players. */
const SHORTEST_CUE_MILLISECONDS = 1;

/** Returns a file's content. */
export function written(lines: readonly TranscriptLine[], format: FileFormat, words: GapWords): string {
	const spoken = lines.filter((line): line is Line => !isGap(line) && line.text.trim() !== '');
	const gaps = lines.filter(isGap);
	if (format === 'json') {
		return json(spoken, gaps, words);
	}
	const missing = gaps.map(gap => ({ ...gap, text: words.text(gap), language: null }));
	return WRITERS[format]([...spoken, ...missing].sort(byStart));
}

/** Returns whether speech is missing here. */
export function isGap(line: TranscriptLine): line is GapLine {
	return 'gap' in line;
}

/** Returns a time as people read it: `0:07`, `1:02:03`. */
export function clock(seconds: number): string {
	const whole = Math.max(0, Math.floor(seconds));
	const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
	const rest = padded(whole % 60, 2);
	return hours > 0 ? `${hours}:${padded(minutes, 2)}:${rest}` : `${minutes}:${rest}`;
}

interface Cue {
	readonly begin: number;
	readonly end: number;
	readonly text: string;
}

function cues(lines: readonly Line[]): Cue[] {
	let free = 0;
	return lines.map(({ startSeconds, endSeconds, text }, index) => {
		const begin = Math.max(free, milliseconds(startSeconds));
		const next = lines[index + 1];
		const end = next === undefined ? Infinity : milliseconds(next.startSeconds);
		free = Math.max(Math.min(milliseconds(endSeconds), end), begin + SHORTEST_CUE_MILLISECONDS);
		return { begin, end: free, text: tidy(text) };
	});
}

const WRITERS: Readonly<Record<Exclude<FileFormat, 'json'>, (lines: readonly Line[]) => string>> = {
	txt: lines => lines.map(({ text }) => `${text.trim()}\n`).join(''),
	srt: lines =>
		cues(lines)
			.map(
				({ begin, end, text }, index) =>
					`${index + 1}\n${stamp(begin, ',')} --> ${stamp(end, ',')}\n${text.replace(/--+>/g, '->')}\n`,
			)
			.join('\n'),
	vtt: lines =>
		[
			'WEBVTT\n',
			...cues(lines).map(
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

function byStart(one: Line, other: Line): number {
	return one.startSeconds - other.startSeconds;
}

/** Drops blank lines and the space around each: a blank line would end the cue. */
function tidy(text: string): string {
	const lines = text.split(/\r\n|[\n\r\v\f\u0085\u2028\u2029]/).map(line => line.trim());
	return lines.filter(line => line !== '').join('\n');
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
