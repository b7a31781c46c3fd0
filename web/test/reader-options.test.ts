import { expect, test } from 'vitest';
import { readerOptions } from '../page/reader-options.js';

test('reads the options of a fragment', () => {
	expect(readerOptions('#session=5e&token=tok2.1&lines=2&size=5.5&background=transparent')).toEqual({
		session: '5e',
		token: 'tok2.1',
		lines: 2,
		sizePercent: 5.5,
		background: 'transparent',
	});
});

test('uses defaults for what is missing or invalid', () => {
	const defaults = { session: '', token: '', lines: 3, sizePercent: 4, background: null };
	expect(readerOptions('')).toEqual(defaults);
	expect(readerOptions('#lines=0&size=99&background=url(x)')).toEqual(defaults);
	expect(readerOptions('#lines=x&size=&background=constructor')).toEqual(defaults);
});

test('accepts key colours by name and as digits', () => {
	expect(readerOptions('background=green').background).toBe('#00b140');
	expect(readerOptions('background=0F0').background).toBe('#0F0');
	expect(readerOptions('background=00ff00').background).toBe('#00ff00');
	expect(readerOptions('background=00ff0').background).toBeNull();
});
