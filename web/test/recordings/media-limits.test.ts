import { expect, it } from 'vitest';
import { mediaToRemove } from '../../page/recordings/media-limits.js';

const KEPT = [
	{ id: 'new', bytes: 40, usedAt: 3 },
	{ id: 'old', bytes: 30, usedAt: 1 },
	{ id: 'middle', bytes: 20, usedAt: 2 },
];

it('removes the longest unused audio until the new one fits', () => {
	expect(mediaToRemove(KEPT, 10, 100)).toEqual([]);
	expect(mediaToRemove(KEPT, 11, 100)).toEqual(['old']);
	expect(mediaToRemove(KEPT, 100, 100)).toEqual(['old', 'middle', 'new']);
	expect(mediaToRemove(KEPT, 101, 100)).toBeNull();
});
