import { expect, it } from 'vitest';
import { EDIT_TEXTS } from '../../page/recordings/edit-texts.js';
import { duration, percent, RECORDING_TEXTS } from '../../page/recordings/texts.js';

/** Returns the paths of all texts. */
function paths(texts: object, path = ''): string[] {
	return Object.entries(texts).flatMap(([name, value]: [string, unknown]) =>
		typeof value === 'object' && value !== null ? paths(value, `${path}${name}.`) : [path + name],
	);
}

it('has the same texts in each language', () => {
	expect(paths(RECORDING_TEXTS.zh)).toEqual(paths(RECORDING_TEXTS.en));
	expect(paths(EDIT_TEXTS.zh)).toEqual(paths(EDIT_TEXTS.en));
});

it('writes durations and shares in each language', () => {
	expect(duration(1, 'minute', 'en')).toBe('1 minute');
	expect(duration(20, 'second', 'zh')).toBe('20秒钟');
	expect(percent(0.424, 'en')).toBe('42%');
});
