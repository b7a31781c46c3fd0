import { describe, expect, it } from 'vitest';
import { excerptOf, findInText, findLines } from '../../page/recordings/search.js';

const line = (text: string) => ({ startSeconds: 0, endSeconds: 1, text, language: null });

/** Returns the parts of a text that match. */
function found(text: string, query: string): string[] | null {
	return findInText(text, query)?.map(({ start, end }) => text.slice(start, end)) ?? null;
}

describe('a search', () => {
	it('finds lines with all words, without regard to case and accents', () => {
		const lines = [
			line('The quarterly report is late.'),
			{ startSeconds: 0, endSeconds: 1, gap: 'report' },
			line('Report, they said.'),
			line('Der QUÄRTERLY-REPORT'),
		];
		expect(findLines(lines, ' report  quarterly ').map(match => match.line)).toEqual([0, 3]);
		expect(findLines(lines, '  ')).toEqual([]);
	});

	it('returns the places in the text as it is written', () => {
		expect(found('Ça va, Zoë? İstanbul ça', 'ca zoe')).toEqual(['Ça', 'Zoë', 'ça']);
		expect(found('e\u0301te\u0301 x', 'te x')).toEqual(['te\u0301', 'x']);
		expect(found('ﬁne', 'fine')).toEqual(['ﬁne']);
		expect(found('我们走吧', '走吧')).toEqual(['走吧']);
		expect(found('aaaa', 'aa a')).toEqual(['aa', 'aa']);
		expect(found('abc', 'abd')).toBeNull();
	});

	it('shows a match with the text around it', () => {
		const text = `${'word '.repeat(30)}the report is late`;
		const parts = excerptOf(text, findInText(text, 'report') ?? []);
		expect(parts.filter(({ isMatch }) => isMatch)).toEqual([{ text: 'report', isMatch: true }]);
		expect(parts[0]?.text).toMatch(/^… word (word )+the $/);
		expect(parts[0]?.text.length).toBeLessThan(50);
		expect(parts.at(-1)?.text).toBe(' is late');
		expect(excerptOf('short', [])).toEqual([{ text: 'short', isMatch: false }]);
	});
});
