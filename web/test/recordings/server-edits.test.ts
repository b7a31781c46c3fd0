import { expect, it } from 'vitest';
import { foldedInto } from '../../page/recordings/brief-speakers.js';
import { given, joined, spanOf, splitAt } from '../../page/recordings/paragraph-edits.js';
import { serverEdits } from '../../page/recordings/server-edits.js';
import { SpeakerNames } from '../../page/speaker-names.js';
import type { Line, TranscriptLine } from '../../page/transcript.js';

const line = (startSeconds: number, text: string, speaker: number): Line => ({
	...{ startSeconds, endSeconds: startSeconds + 2, text, language: 'en', speaker },
});
const LINES = [line(0, 'Is it? It is.', 0), line(2, 'No.', 1), line(9, 'Well.', 1)];
const change = (
	startSeconds: number,
	endSeconds: number,
	fromSpeaker: number,
	speaker: number,
	startsParagraph: boolean | null = null,
): object => ({ startSeconds, endSeconds, fromSpeaker, speaker, startsParagraph });

it('sends nothing for lines that are the same', () => {
	expect(serverEdits(LINES, [...LINES])).toEqual({ joins: [], paragraphs: [], names: [] });
	expect(serverEdits(LINES, LINES.slice(1)).paragraphs).toEqual([]); // an empty sentence is removed
});

it('sends who says a paragraph', () => {
	const after = given(LINES, spanOf(LINES, 2), 0);
	expect(serverEdits(LINES, after)).toEqual({ joins: [], paragraphs: [change(9, 11, 1, 0)], names: [] });
	expect(serverEdits(after, LINES).paragraphs).toEqual([change(9, 11, 0, 1)]);
});

it('sends where a paragraph starts, and takes it back', () => {
	const split = splitAt(LINES, { line: 0, word: 2 });
	const [, second] = split as [Line, Line];
	const { startSeconds } = second;
	expect(serverEdits(LINES, split).paragraphs).toEqual([change(startSeconds, 2, 0, 0, true)]);
	expect(serverEdits(split, LINES).paragraphs).toEqual([change(startSeconds, 2, 0, 0)]);
	const said = given(split, spanOf(split, 1), 1);
	expect(serverEdits(LINES, said).paragraphs).toEqual([change(startSeconds, 2, 0, 1, true)]);
	expect(serverEdits(said, LINES).paragraphs).toEqual([change(startSeconds, 2, 1, 0)]);
});

it('sends that a paragraph continues the one before', () => {
	const after = joined(LINES, spanOf(LINES, 1));
	expect(serverEdits(LINES, after).paragraphs).toEqual([change(2, 4, 1, 0, false)]);
});

it('joins speakers at once, and separates them again by their words and names', () => {
	const names = new SpeakerNames();
	const usual = (number: number): string => `Speaker ${number + 1}`;
	const ann = names.rename(LINES, 1, 'Ann', usual);
	const after = names.rename(ann, 1, 'Speaker 1', usual);
	expect(serverEdits(ann, after)).toEqual({
		joins: [{ speaker: 1, change: { mergeInto: 0 } }],
		paragraphs: [],
		names: [{ speaker: 0, change: { name: '' } }],
	});
	expect(serverEdits(after, ann)).toEqual({
		joins: [],
		paragraphs: [change(2, 4, 0, 1), change(9, 11, 0, 1)],
		names: [{ speaker: 1, change: { name: 'Ann' } }],
	});
});

it('sends the words of a speaker who is given to two others', () => {
	const lines: TranscriptLine[] = [line(0, 'A.', 0), line(2, 'b', 2), line(20, 'c', 2), line(22, 'D.', 1)];
	const after = foldedInto(lines, new Set([2]));
	expect(serverEdits(lines, after)).toEqual({
		joins: [{ speaker: 2, change: { mergeInto: 0 } }],
		paragraphs: [change(20, 22, 0, 1)],
		names: [{ speaker: 0, change: { name: '' } }],
	});
});
