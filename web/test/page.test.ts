/** What the captions' page says, and what it knows of the server. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CAPTION_TEXTS } from '../page/caption-texts.js';
import { LANGUAGE_CODES, likelyLanguages, namedLanguages, withRecent } from '../page/languages.js';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

/** Returns all texts by their paths. */
function flat(texts: object, path = ''): Map<string, unknown> {
	const found = new Map<string, unknown>();
	for (const [name, value] of Object.entries(texts) as [string, unknown][]) {
		if (typeof value === 'object' && value !== null) {
			flat(value, `${path}${name}.`).forEach((text, at) => found.set(at, text));
		} else {
			found.set(path + name, value);
		}
	}
	return found;
}

describe('the page', () => {
	const { en, zh } = CAPTION_TEXTS;

	it('has the same English texts in HTML and in the script', () => {
		const texts = flat(en);
		const shown = [...read('../page/index.html').matchAll(/data-text="([^"]+)"[^>]*>([^<]*)</g)];
		expect(shown.length).toBeGreaterThan(15);
		for (const [, path = '', text = ''] of shown) {
			expect([path, text.trim().replace(/\s+/g, ' ')]).toEqual([path, texts.get(path)]);
		}
	});

	it('has a sentence for each problem in each language', () => {
		expect([...flat(zh).keys()]).toEqual([...flat(en).keys()]);
		for (const [name, sentence] of Object.entries(en.problems)) {
			expect(sentence).toMatch(/[.?]$/);
			expect(zh.problems[name]).toMatch(/[。？]$/);
		}
	});

	it('says how full the server is', () => {
		expect(en.full(12, 12)).toBe(
			'12 people are being transcribed now; this server holds about 12. Your speech is kept.',
		);
		expect(en.full(1, 1)).toMatch(/^1 person is being transcribed now; this server holds about 1\./);
		expect(zh.full(12, 13)).toBe('目前正在转写 12 人的讲话，此服务器约可容纳 13 人。其间所说的话会保留。');
	});

	it('has a sentence for each server error that a page can receive', () => {
		const codes = [...read('../../docs/reference/http-api.md').matchAll(/^\| \d{3} \| (.+?) \|/gm)]
			.flatMap(([, cell = '']) => [...cell.matchAll(/`(\w+)`/g)].map(([, code = '']) => code))
			.filter(code => !['bad_request', 'job_conflict', 'opus_without_boundaries'].includes(code)); // bugs of the page's
		expect(codes).toContain('queue_full');
		expect(codes.filter(code => !(code in en.problems))).toEqual([]);
	});

	it("lists the server's languages with their names", () => {
		const table =
			/LANGUAGE_NAMES[^{]+\{([^}]+)\}/.exec(read('../../src/auricle/values/languages.py'))?.[1] ?? '';
		expect(LANGUAGE_CODES).toEqual([...table.matchAll(/"(\w+)": "/g)].map(([, code]) => code));
		const names = new Map(namedLanguages('en'));
		expect(names.get('jw')).toBe('Javanese');
		expect(names.size).toBe(LANGUAGE_CODES.length);
		expect(new Map(namedLanguages('zh')).get('de')).toBe('德语');
	});

	it('offers recent languages first, then those of the browser', () => {
		const recent = ['fr', 'de', 'fr', 'es', 'it', 'pt'].reduce<string[]>(withRecent, []);
		expect(recent).toEqual(['pt', 'it', 'es', 'fr']);
		const likely = likelyLanguages(namedLanguages('en'), ['de', ''], ['de-CH', 'en-GB', 'xx', 'en']);
		expect(likely).toEqual([
			['de', 'German'],
			['en', 'English'],
		]);
	});
});
