import { expect, it } from 'vitest';
import { speakerShares } from '../../page/recordings/speaker-shares.js';

const line = (seconds: number, fields: object) => ({
	startSeconds: 0,
	endSeconds: seconds,
	text: 'Yes.',
	language: 'en',
	...fields,
});

it('counts the speech of each known speaker', () => {
	const lines = [
		line(1, { speaker: 3 }),
		line(2, { speaker: 0, speakerName: 'Ann' }),
		line(100, {}),
		{ startSeconds: 0, endSeconds: 50, gap: 'too_slow' },
		line(1, { speaker: 3 }),
	];
	const words = { speaker: (number: number) => `Speaker ${number}` };
	expect(speakerShares(lines, words)).toEqual([
		{ number: 3, name: 'Speaker 4', share: 0.5, seconds: 2 },
		{ number: 0, name: 'Ann', share: 0.5, seconds: 2 },
	]);
	expect(speakerShares([line(1, {})], words)).toEqual([]);
	expect(speakerShares([line(0, { speaker: 1 })], words)).toMatchObject([{ share: 0 }]);
});
