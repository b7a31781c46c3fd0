import { expect, it } from 'vitest';
import { LANGUAGE_CODES, languageName, namedLanguages } from '../page/languages.js';

it('names a language in the language of the page', () => {
	expect(languageName('de', 'en')).toBe('German');
	expect(languageName('de', 'zh')).toBe('德语');
	expect(languageName('jw', 'en')).toBe('Javanese'); // Whisper's code
	expect(languageName('zh-TW', 'en')).toMatch(/^Chinese/);
});

it('names a language that is unknown, too', () => {
	for (const code of ['xx', 'no code!', '']) {
		expect(languageName(code, 'en')).toBe('Another language');
		expect(languageName(code, 'zh')).toBe('其他语言');
	}
});

it('sorts all languages by their names', () => {
	const languages = namedLanguages('en');
	expect(new Set(languages.map(([code]) => code))).toEqual(new Set(LANGUAGE_CODES));
	const names = languages.map(([, name]) => name);
	expect(names).toEqual([...names].sort((one, other) => one.localeCompare(other, 'en')));
});
