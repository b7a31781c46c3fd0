import { describe, expect, it } from 'vitest';
import { timedWords, withText } from '../../page/recordings/words.js';
import type { Line } from '../../page/transcript.js';

const line = (text: string, words?: Line['words']): Line => ({
	startSeconds: 10,
	endSeconds: 20,
	text,
	language: 'en',
	...(words === undefined ? {} : { words }),
});

const word = (text: string, startSeconds: number, endSeconds: number) => ({ text, startSeconds, endSeconds });

const TRAIN = line('The train leaves at noon.', [
	word('The', 10, 11),
	word(' train', 11, 12),
	word(' leaves', 13, 14),
	word(' at', 15, 16),
	word(' noon.', 18, 20),
]);

const texts = (line: Line): string[] => timedWords(line).map(({ text }) => text);

describe('the words of a line', () => {
	it('have the times of the model', () => {
		expect(timedWords(TRAIN)).toBe(TRAIN.words);
	});

	it('share the time of the line without them, or if they are not its text', () => {
		expect(timedWords(line('It is noon.'))).toEqual([
			word('It', 10, 10 + 20 / 9),
			word(' is', 10 + 20 / 9, 10 + 40 / 9),
			word(' noon.', 10 + 40 / 9, 20),
		]);
		expect(texts({ ...TRAIN, text: 'It is noon.' })).toEqual(['It', ' is', ' noon.']);
	});

	it('are characters in scripts without spaces, and never cut a mark off', () => {
		expect(texts(line('你好，world'))).toEqual(['你', '好', '，world']);
		expect(texts(line('น้ำ ok')).join('')).toBe('น้ำ ok');
		expect(texts(line('น้ำ ok'))[0]).toBe('น้');
	});
});

describe('an edited line', () => {
	it('keeps the times of the words that stay', () => {
		const edited = withText(TRAIN, 'The last train left at Noon.');
		expect(edited.text).toBe('The last train left at Noon.');
		expect(edited.words).toEqual([
			word('The', 10, 11),
			word(' last', 11, 11),
			word(' train', 11, 12),
			word(' left', 12, 15),
			word(' at', 15, 16),
			word(' Noon.', 18, 20),
		]);
		expect(timedWords(edited)).toBe(edited.words);
	});

	it('may have other words only, in any script', () => {
		expect(withText(TRAIN, 'Yes.').words).toEqual([word('Yes.', 10, 20)]);
		const chinese = line('我们走吧', [word('我们', 10, 12), word('走吧', 14, 20)]);
		expect(withText(chinese, '我走吧').words).toEqual([
			word('我', 10, 11),
			word('走', 14, 17),
			word('吧', 17, 20),
		]);
	});
});
