/** Changes of paragraphs: who says one, and where it starts. Pure. */

import { isGap, type Line, type TranscriptLine, type Word } from '../transcript.js';
import { type SpeakerFields, withFields } from '../speaker-names.js';
import { paragraphStarts } from '../paragraphs.js';
import type { WordPlace } from './timeline.js';
import { timedWords } from './words.js';

/** The lines of a paragraph: the first one, and the one after the last. */
export interface Span {
	readonly first: number;
	readonly end: number;
}

/** Returns the paragraph of a line. */
export function spanOf(lines: readonly TranscriptLine[], line: number): Span {
	const starts = paragraphStarts(lines);
	const after = starts.indexOf(true, line + 1);
	return { first: starts.lastIndexOf(true, line), end: after < 0 ? lines.length : after };
}

/** Returns whether a paragraph can be joined with the one before: not at the start, and not around missing speech. */
export function canJoin(lines: readonly TranscriptLine[], { first }: Span): boolean {
	const [before, line] = [lines[first - 1], lines[first]];
	return before !== undefined && line !== undefined && !isGap(before) && !isGap(line);
}

/** Returns lines in which a paragraph continues the one before, with its speaker. */
export function joined(lines: readonly TranscriptLine[], span: Span): readonly TranscriptLine[] {
	const before = lines[span.first - 1];
	if (before === undefined || isGap(before)) {
		return lines;
	}
	return mapSpan(lines, span, (line, index) => {
		const given = withFields(line, speakerFields(before));
		return index === span.first ? { ...given, startsParagraph: false } : given;
	});
}

/** Returns lines in which somebody else says a paragraph. */
export function given(
	lines: readonly TranscriptLine[],
	span: Span,
	speaker: number,
): readonly TranscriptLine[] {
	const known = lines.find((line): line is Line => !isGap(line) && line.speaker === speaker);
	return mapSpan(lines, span, line =>
		withFields(line, known === undefined ? { speaker } : speakerFields(known)),
	);
}

/** Returns the number of a speaker who has said nothing so far. */
export function newSpeaker(lines: readonly TranscriptLine[]): number {
	return 1 + Math.max(-1, ...lines.map(line => (isGap(line) ? -1 : (line.speaker ?? -1))));
}

/** Returns lines in which a paragraph starts at a word; its line is cut before the word, and all words keep their times. */
export function splitAt(lines: readonly TranscriptLine[], place: WordPlace): readonly TranscriptLine[] {
	const line = lines[place.line];
	if (line === undefined || isGap(line)) {
		return lines;
	}
	const parts = cut(line, place.word);
	return [...lines.slice(0, place.line), ...parts, ...lines.slice(place.line + 1)];
}

/** Returns the word of a line in which a cursor is; `null` behind the last letter. */
export function wordAt(line: Line, character: number): number | null {
	let end = 0;
	for (const [index, { text }] of timedWords(line).entries()) {
		end += text.length;
		if (character < end) {
			return index;
		}
	}
	return null;
}

function cut(line: Line, word: number): readonly Line[] {
	if (word === 0) {
		return [{ ...line, startsParagraph: true }];
	}
	const words = timedWords(line);
	const [before, after] = [words.slice(0, word), words.slice(word)];
	const [last, first] = [before.at(-1), after[0]];
	if (last === undefined || first === undefined) {
		return [line];
	}
	const start = { ...line, ...textOf(line, before), endSeconds: last.endSeconds };
	const { startSeconds } = first;
	return [start, { ...line, ...textOf(line, after), startSeconds, startsParagraph: true }];
}

/** Returns the text of some words of a line, and the words if the line has their times. */
function textOf(line: Line, part: readonly Word[]): Pick<Line, 'text' | 'words'> {
	const words = part.map((word, index) => (index === 0 ? { ...word, text: word.text.trimStart() } : word));
	const text = words.map(word => word.text).join('');
	return line.words === undefined ? { text } : { text, words };
}

function mapSpan(
	lines: readonly TranscriptLine[],
	{ first, end }: Span,
	change: (line: Line, index: number) => Line,
): readonly TranscriptLine[] {
	return lines.map((line, index) =>
		isGap(line) || index < first || index >= end ? line : change(line, index),
	);
}

function speakerFields({ speaker, speakerName }: Line): SpeakerFields {
	return {
		...(speaker === undefined ? {} : { speaker }),
		...(speakerName === undefined ? {} : { speakerName }),
	};
}
