import { expect, test } from 'vitest';
import { speakerEdits } from '../../page/recordings/speaker-edits.js';
import type { TranscriptLine } from '../../page/transcript.js';

const line = (startSeconds: number, speaker?: number, speakerName?: string): TranscriptLine => ({
	startSeconds,
	endSeconds: startSeconds + 1,
	text: 'Yes.',
	language: 'en',
	...(speaker === undefined ? {} : { speaker }),
	...(speakerName === undefined ? {} : { speakerName }),
});
const GAP = { startSeconds: 9, endSeconds: 10, gap: 'too_slow' };
const BEFORE = [line(0, 0), line(1, 1, 'Ann'), line(2, 0), line(3), GAP];

test('names that are given, changed and removed', () => {
	expect(speakerEdits(BEFORE, BEFORE)).toEqual([]);
	expect(speakerEdits(BEFORE, [line(0, 0, 'Bob'), line(1, 1), line(2, 0, 'Bob'), line(3), GAP])).toEqual([
		{ speaker: 0, change: { name: 'Bob' } },
		{ speaker: 1, change: { name: '' } },
	]);
});

test('speakers that are joined, who keep the name of the one that stays', () => {
	expect(speakerEdits(BEFORE, [line(0, 0), line(1, 0), line(2, 0), line(3), GAP])).toEqual([
		{ speaker: 1, change: { mergeInto: 0 } },
		{ speaker: 0, change: { name: '' } },
	]);
});

test('nothing for speakers whose sentences were removed, and the names of those who appear again', () => {
	expect(speakerEdits(BEFORE, [line(0, 0), line(2, 0), line(3), GAP])).toEqual([]);
	expect(speakerEdits([line(0, 0), line(1, 0)], [line(0, 0), line(1, 1, 'Ann')])).toEqual([
		{ speaker: 1, change: { name: 'Ann' } },
	]);
});
