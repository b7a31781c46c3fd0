import { describe, expect, it } from 'vitest';
import { paragraphStarts, withSpeaker } from '../page/paragraphs.js';
import type { Line, TranscriptLine } from '../page/transcript.js';

const line = (startSeconds: number, fields: Partial<Line> = {}): Line => ({
	startSeconds,
	endSeconds: startSeconds + 3,
	text: 'It is late.',
	language: 'en',
	...fields,
});

describe('paragraphs', () => {
	it('start after pauses of 2 s', () => {
		expect(paragraphStarts([])).toEqual([]);
		expect(paragraphStarts([line(0), line(3.5), line(8.5), line(13.4)])).toEqual([true, false, true, false]);
	});

	it('start with another speaker', () => {
		const [one, other] = [{ speaker: 0 }, { speaker: 1 }];
		const lines = [line(0, one), line(3, one), line(6, other), line(9, other), line(12)];
		expect(paragraphStarts(lines)).toEqual([true, false, true, false, true]);
	});

	it('start where the user says, but never with two speakers', () => {
		const long = { text: 'word '.repeat(100), speaker: 0 };
		const lines = [
			line(0, { speaker: 0 }),
			line(3, { speaker: 0, startsParagraph: true }),
			line(60, { ...long, startsParagraph: false }),
			line(63, { speaker: 1, startsParagraph: false }),
		];
		expect(paragraphStarts(lines)).toEqual([true, true, false, true]);
	});

	it('start before and after missing speech', () => {
		const gap: TranscriptLine = { startSeconds: 3, endSeconds: 6, gap: 'unreachable' };
		expect(paragraphStarts([line(0), gap, line(6), line(9)])).toEqual([true, true, true, false]);
	});

	it('stay short', () => {
		const text = 'word '.repeat(40); // 200 characters
		const lines = [0, 3, 6, 9, 12].map(seconds => line(seconds, { text }));
		expect(paragraphStarts(lines)).toEqual([true, false, true, false, true]);
	});

	it('start with words after a pause, whose speaker is not known yet', () => {
		const last = line(0, { speaker: 0, speakerName: 'Ann' });
		const after = (startSeconds: number): boolean[] =>
			paragraphStarts([last, withSpeaker(line(startSeconds), last)]);
		expect(after(3.1)).toEqual([true, true]);
		expect(after(3)).toEqual([true, false]); // cut in the middle of speech
	});

	it('continue over a pause if no speakers are known', () => {
		expect(paragraphStarts([line(0), withSpeaker(line(3.1), line(0))])).toEqual([true, false]);
	});
});
