import { expect, it } from 'vitest';
import { Timeline } from '../../page/recordings/timeline.js';

const line = (startSeconds: number, endSeconds: number, text: string) => ({
	startSeconds,
	endSeconds,
	text,
	language: 'en',
});

it('finds the word of a time, also in pauses and of two channels', () => {
	const timeline = new Timeline([
		line(1, 3, 'One two'),
		{ startSeconds: 3, endSeconds: 4, gap: 'too_slow' },
		line(5, 6, 'Four'),
		line(2.5, 3, 'Yes'), // of the other channel
	]);
	expect(timeline.at(0)).toBeNull();
	expect(timeline.at(1)).toEqual({ line: 0, word: 0 });
	expect(timeline.at(2.4)).toEqual({ line: 0, word: 1 });
	expect(timeline.at(4.9)).toEqual({ line: 3, word: 0 });
	expect(timeline.at(100)).toEqual({ line: 2, word: 0 });
	expect(new Timeline([]).at(1)).toBeNull();
});
