/**
 * What was said and when, and the files that it can be taken home in. Pure.
 *
 * One cue for each line that has text, in order of time, none over another. Both formats of subtitles end a cue's text
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
export function written(lines: readonly Line[], format: FileFormat): string {
	return WRITERS[format](lines.filter(({ text }) => text.trim() !== ''));
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
	const sorted = [...lines].sort((one, other) => one.startSeconds - other.startSeconds);
	let free = 0;
	return sorted.map(({ startSeconds, endSeconds, text }, index) => {
		const begin = Math.max(free, milliseconds(startSeconds));
		const next = sorted[index + 1];
		const end = next === undefined ? Infinity : milliseconds(next.startSeconds);
		free = Math.max(Math.min(milliseconds(endSeconds), end), begin + SHORTEST_CUE_MILLISECONDS);
		return { begin, end: free, text: tidy(text) };
	});
}

const WRITERS: Readonly<Record<FileFormat, (lines: readonly Line[]) => string>> = {
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
	json: lines => {
		const segments = lines.map(({ startSeconds, endSeconds, text, language }) => ({
			start: milliseconds(startSeconds) / 1000,
			end: milliseconds(endSeconds) / 1000,
			text: text.trim(),
			language,
		}));
		const text = segments.map(segment => segment.text).join(' ');
		return `${JSON.stringify({ text, segments }, null, 2)}\n`;
	},
};

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
