import { expect, it } from 'vitest';
import { briefSpeakers, foldedInto } from '../../page/recordings/brief-speakers.js';
import { speakerShares } from '../../page/recordings/speaker-shares.js';
import { isGap, type TranscriptLine } from '../../page/transcript.js';

const line = (startSeconds: number, endSeconds: number, speaker: number, name?: string): TranscriptLine => ({
	...{ startSeconds, endSeconds, text: 'Mm.', language: 'en', speaker },
	...(name === undefined ? {} : { speakerName: name }),
});
const brief = (...lines: TranscriptLine[]): number[] => [
	...briefSpeakers(speakerShares(lines, { speaker: String }), lines),
];
const MAIN = line(0, 300, 0);

it('are those with little of the speech and few seconds', () => {
	expect(brief(MAIN, line(300, 302.9, 1), line(303, 304, 2))).toEqual([1, 2]);
	expect(brief(MAIN, line(300, 303, 1))).toEqual([]); // 3 s
	expect(brief(line(0, 49, 0), line(49, 50, 1))).toEqual([]); // 2 %
});

it('are not those with a name', () => {
	expect(brief(MAIN, line(300, 301, 1, 'Ann'))).toEqual([]);
	expect(brief()).toEqual([]);
});

it('give their words to the speaker who is nearer in time', () => {
	const lines = [line(0, 10, 0), line(10.2, 10.5, 2), line(20, 20.5, 2), line(20.6, 30, 1, 'Ann')];
	const gap = { startSeconds: 30, endSeconds: 31, gap: 'too_slow' };
	const folded = foldedInto([...lines, gap], new Set([2]));
	expect(folded.map(each => (isGap(each) ? 'gap' : (each.speakerName ?? each.speaker)))).toEqual([
		...[0, 0, 'Ann', 'Ann'],
		'gap',
	]);
	expect(foldedInto([line(0, 1, 2)], new Set([2]))).toEqual([line(0, 1, 2)]);
});
