import { describe, expect, it } from 'vitest';
import {
	canJoin,
	given,
	joined,
	newSpeaker,
	spanOf,
	splitAt,
	wordAt,
} from '../../page/recordings/paragraph-edits.js';
import { paragraphsOf } from '../../page/paragraphs.js';
import { formatTranscript, isGap, type Line, type TranscriptLine } from '../../page/transcript.js';

const line = (startSeconds: number, text: string, speaker?: number, speakerName?: string): Line => ({
	...{ startSeconds, endSeconds: startSeconds + 2, text, language: 'en' },
	...(speaker === undefined ? {} : { speaker }),
	...(speakerName === undefined ? {} : { speakerName }),
});
const WORDS = [
	{ startSeconds: 0, endSeconds: 0.4, text: 'Is' },
	{ startSeconds: 0.4, endSeconds: 0.8, text: ' it' },
	{ startSeconds: 0.8, endSeconds: 1.2, text: ' late?' },
	{ startSeconds: 1.5, endSeconds: 2, text: ' No.' },
];
const TIMED: Line = { ...line(0, 'Is it late? No.', 0, 'Ann'), words: WORDS };
const GAP = { startSeconds: 20, endSeconds: 21, gap: 'too_slow' };
const LINES = [TIMED, line(2, 'Then start.', 0, 'Ann'), line(9, 'Now.', 1), GAP, line(22, 'Bye.', 1)];
const shown = (lines: readonly TranscriptLine[]): string[] =>
	paragraphsOf(lines).map(paragraph =>
		paragraph
			.map(each => (isGap(each) ? '…' : `${each.speakerName ?? each.speaker} ${each.text}`))
			.join(' | '),
	);

describe('a paragraph', () => {
	it('is that of all its lines', () => {
		expect([0, 1, 2, 3, 4].map(at => spanOf(LINES, at))).toEqual([
			...[
				{ first: 0, end: 2 },
				{ first: 0, end: 2 },
			],
			...[
				{ first: 2, end: 3 },
				{ first: 3, end: 4 },
				{ first: 4, end: 5 },
			],
		]);
	});

	it('is split before a word, and all words keep their times', () => {
		const split = splitAt(LINES, { line: 0, word: 3 });
		expect(shown(split)).toEqual(['Ann Is it late?', 'Ann No. | Ann Then start.', '1 Now.', '…', '1 Bye.']);
		const [first, second] = split as [Line, Line];
		expect(first.words).toEqual(WORDS.slice(0, 3));
		expect(second.words).toEqual([{ ...WORDS[3], text: 'No.' }]);
		expect([first.startSeconds, first.endSeconds, second.startSeconds, second.endSeconds]).toEqual([
			0, 1.2, 1.5, 2,
		]);
		const texts = { text: () => '', reason: () => '', speaker: String };
		const json = JSON.parse(formatTranscript(split, 'json', texts)) as { segments: object[] };
		expect(json.segments[1]).toMatchObject({ start: 1.5, words: [{ start: 1.5, end: 2, word: 'No.' }] });
	});

	it('is split at the start of a line, and in a line without the times of words', () => {
		expect(shown(splitAt(LINES, { line: 1, word: 0 }))[1]).toBe('Ann Then start.');
		const split = splitAt(LINES, { line: 1, word: 1 });
		expect(shown(split).slice(0, 2)).toEqual(['Ann Is it late? No. | Ann Then', 'Ann start.']);
		expect(split[2]).toMatchObject({ text: 'start.', endSeconds: 4 });
		expect(split[2]).not.toHaveProperty('words');
		expect(splitAt(LINES, { line: 3, word: 0 })).toBe(LINES);
	});

	it('gets a speaker with the name, or a new one', () => {
		expect(shown(given(LINES, { first: 2, end: 3 }, 0))[1]).toBe('Ann Now.');
		expect(newSpeaker(LINES)).toBe(2);
		expect(shown(given(LINES, { first: 0, end: 2 }, 2))[0]).toBe('2 Is it late? No. | 2 Then start.');
		expect(newSpeaker([line(0, 'Yes.')])).toBe(0);
	});

	it('continues the one before, with its speaker, also after a pause', () => {
		const span = spanOf(LINES, 2);
		expect(canJoin(LINES, span)).toBe(true);
		expect(shown(joined(LINES, span))[0]).toBe('Ann Is it late? No. | Ann Then start. | Ann Now.');
	});

	it('is not joined with missing speech, nor with nothing', () => {
		expect([0, 3, 4].map(at => canJoin(LINES, spanOf(LINES, at)))).toEqual([false, false, false]);
		expect(joined(LINES, spanOf(LINES, 4))).toBe(LINES);
	});
});

it.each([
	[0, 0],
	[1, 0],
	[2, 1],
	[3, 1],
	[11, 3],
	[15, null],
])('the cursor before character %d is in word %d', (character, word) => {
	expect(wordAt(TIMED, character)).toBe(word);
});
