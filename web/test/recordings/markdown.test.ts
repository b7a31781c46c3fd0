import { expect, it } from 'vitest';
import { markdown } from '../../page/recordings/markdown.js';

it('writes paragraphs with their times and speakers, without markup of the text', () => {
	const line = (startSeconds: number, text: string, speaker?: number) => ({
		startSeconds,
		endSeconds: startSeconds + 1,
		text,
		language: 'en',
		...(speaker === undefined ? {} : { speaker }),
	});
	const gap = { startSeconds: 9, endSeconds: 10, gap: 'too_slow' };
	const lines = [line(0, 'One_1.', 0), line(1, 'Two.', 0), line(2, 'Three.', 1), gap, line(11, '*Four*')];
	const words = {
		text: () => '[missing]',
		reason: () => '',
		speaker: (number: number) => `Speaker ${number}`,
	};
	expect(markdown('a_b.mp3', '0:11', lines, words)).toBe(
		[
			'# a\\_b.mp3',
			'0:11',
			'`0:00` **Speaker 1:** One\\_1. Two.',
			'`0:02` **Speaker 2:** Three.',
			'*\\[missing\\]*',
			'`0:11` \\*Four\\*',
		]
			.map(paragraph => `${paragraph}\n`)
			.join('\n'),
	);
});
