/**
 * A transcript with times, and the file formats for its download. Pure.
 *
 * `subtitle-layout.ts` turns lines into cues; each gap is one more cue of its duration. Both subtitle formats end a cue's
 * text at a blank line and give `-->` a meaning, so neither may come from speech; WebVTT reads `&` and `<` as markup.
 * Same output as the server's `auricle.text.formats.subtitles`.
 */

import { layOut, settle, type Timed, USUAL_LIMITS } from './subtitle-layout.js';

/** A word with the space before it, and its times. */
export interface Word {
	readonly startSeconds: number;
	readonly endSeconds: number;
	readonly text: string;
}

/** A line of text with its times. */
export interface Line {
	readonly startSeconds: number;
	readonly endSeconds: number;
	readonly text: string;
	readonly language: string | null;
	/** Number of the speaker, if known. */
	readonly speaker?: number;
	/** Name that the user gave to the speaker. */
	readonly speakerName?: string;
	/** The words of the text, if their times are known; together they are the text. */
	readonly words?: readonly Word[];
	/** Whether a paragraph starts with it, if the user has decided that. */
	readonly startsParagraph?: boolean;
}

/** Missing speech, with the code of its reason. */
export interface GapLine {
	readonly startSeconds: number;
	readonly endSeconds: number;
	readonly gap: string;
}

/** A part of a transcript. */
export type TranscriptLine = Line | GapLine;

/** Describes missing speech and speakers in the page's language. */
export interface TranscriptWords {
	text(line: GapLine): string;
	reason(line: GapLine): string;
	/** The speaker of a line: the name, or a number from 1. */
	speaker(number: number): string;
}

/** Formats of a downloaded transcript. */
export type FileFormat = 'txt' | 'srt' | 'vtt' | 'json';

/** Time after which a speaker who continues is named again in subtitles: viewers start to watch anywhere. */
const NAME_AGAIN_MILLISECONDS = 30_000;

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
	words: TranscriptWords,
): string {
	const spoken = lines.filter((line): line is Line => !isGap(line) && line.text.trim() !== '');
	const gaps = lines.filter(isGap);
	if (format === 'json') {
		return json(spoken, gaps, words);
	}
	const missing = gaps.map(gap => ({ ...gap, text: words.text(gap), language: null }));
	if (format === 'txt') {
		const lines = [...spoken.map(line => labelled(line, words)), ...missing];
		lines.sort((one, other) => one.startSeconds - other.startSeconds);
		return lines.map(({ text }) => `${text.trim()}\n`).join('');
	}
	const inOrder = [...spoken].sort((one, other) => one.startSeconds - other.startSeconds);
	let speakerBefore: string | null = null;
	let namedAt = 0;
	const sentences = inOrder.map(line => {
		const speaker = speakerOf(line, words);
		const at = milliseconds(line.startSeconds);
		const isDue = speaker !== speakerBefore || at - namedAt >= NAME_AGAIN_MILLISECONDS;
		speakerBefore = speaker;
		if (speaker === null || !isDue) {
			return units(line, speaker);
		}
		namedAt = at;
		return named(line, speaker);
	});
	const gapCues = missing.map(line => cue(line, null));
	return WRITERS[format](settle(layOut(sentences, USUAL_LIMITS), gapCues));
}

/** Returns a sentence that begins with the speaker's name, as `auricle/text/formats/subtitles/formats.py` writes it. */
function named(line: Line, speaker: string): Timed[] {
	const [first, ...others] = units(line, speaker);
	if (first === undefined) {
		return [];
	}
	const name = { ...first, end: first.begin, text: `${speaker}:` };
	return [name, { ...first, text: ` ${first.text.trimStart()}` }, ...others];
}

/** Returns the words of a line if their times are known, otherwise the line. */
function units(line: Line, speaker: string | null): Timed[] {
	return line.words === undefined ? [cue(line, speaker)] : line.words.map(word => cue(word, speaker));
}

/** Returns the name of a line's speaker; `null` if unknown. */
export function speakerOf(
	{ speaker, speakerName }: Line,
	words: Pick<TranscriptWords, 'speaker'>,
): string | null {
	return speakerName ?? (speaker === undefined ? null : words.speaker(speaker + 1));
}

function labelled(line: Line, words: TranscriptWords): Line {
	const speaker = speakerOf(line, words);
	return speaker === null ? line : { ...line, text: `${speaker}: ${line.text.trim()}` };
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

function cue({ startSeconds, endSeconds, text }: Word, speaker: string | null): Timed {
	const begin = milliseconds(startSeconds);
	return { begin, end: Math.max(begin, milliseconds(endSeconds)), text, speaker };
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
				({ begin, end, text, speaker }) =>
					`${stamp(begin, '.')} --> ${stamp(end, '.')}\n` + `${voice(speaker ?? null)}${escaped(text)}\n`,
			),
		].join('\n'),
};

function json(lines: readonly Line[], missing: readonly GapLine[], words: TranscriptWords): string {
	const segments = lines.map(line => ({
		...span(line),
		text: line.text.trim(),
		language: line.language,
		...(line.words === undefined
			? {}
			: { words: line.words.map(word => ({ ...span(word), word: word.text.trim() })) }),
		...(line.speaker === undefined ? {} : { speaker: line.speaker, speaker_name: line.speakerName ?? null }),
	}));
	const text = segments.map(segment => segment.text).join(' ');
	const gaps = missing.map(line => ({ ...span(line), code: line.gap, reason: words.reason(line) }));
	return `${JSON.stringify({ text, segments, gaps }, null, 2)}\n`;
}

function span({ startSeconds, endSeconds }: Pick<TranscriptLine, 'startSeconds' | 'endSeconds'>): {
	start: number;
	end: number;
} {
	return { start: milliseconds(startSeconds) / 1000, end: milliseconds(endSeconds) / 1000 };
}

/** Returns the start of a voice span; it ends with the cue. */
function voice(speaker: string | null): string {
	return speaker === null ? '' : `<v ${escaped(speaker)}>`;
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
