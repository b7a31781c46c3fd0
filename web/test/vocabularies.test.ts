/** What is read from a pasted list, and which words of a transcript a vocabulary is offered. */

import { describe, expect, it, test } from 'vitest';
import { Client } from '../src/index.js';
import { correctedTerm, selectedTerm } from '../page/vocabularies/correction.js';
import { addToDefault } from '../page/vocabularies/default-vocabulary.js';
import { isTooLong, pasted } from '../page/vocabularies/pasted.js';
import { VOCABULARY_TEXTS } from '../page/vocabularies/texts.js';
import { ApiServer } from './fakes/api-server.js';

const plainTerms = (...terms: string[]): object[] => terms.map(term => ({ term, soundsLike: [] }));

describe('pasted text', () => {
	it.each([
		['Anna, Zyntrix,Digique Plus', ['Anna', 'Zyntrix', 'Digique Plus']],
		[' Anna \n\nDigique   Plus\r\n', ['Anna', 'Digique Plus']],
		['李雷，韩梅梅、山田', ['李雷', '韩梅梅', '山田']],
		['sin tricks; zin tricks', ['sin tricks; zin tricks']],
		['term', []],
		['terms,of,use', ['terms', 'of', 'use']],
		['', []],
	])('is a list: %j', (text, terms) => {
		expect(pasted(text)).toEqual({ terms: plainTerms(...terms), replacements: [] });
	});

	it('is CSV after its header', () => {
		const text =
			'\ufeffterm,sounds_like,replaces\r\nZyntrix,sin tricks; zin tricks,\n"Ørsted, ""Inc""",,\n\nOK,,ok;okay\n,,um\nLast';
		expect(pasted(text)).toEqual({
			terms: [
				{ term: 'Zyntrix', soundsLike: ['sin tricks', 'zin tricks'] },
				...plainTerms('Ørsted, "Inc"', 'Last'),
			],
			replacements: [
				{ from: 'ok', to: 'OK' },
				{ from: 'okay', to: 'OK' },
				{ from: 'um', to: '' },
			],
		});
	});

	it.each([
		'term;sounds_like;replaces\r\nZyntrix;"sin tricks;zin tricks";\r\nOK;;ok\r\n',
		'term\tsounds_like\treplaces\nZyntrix\tsin tricks;zin tricks\t\nOK\t\tok\n',
		'term,sounds_like,replaces\rZyntrix,sin tricks;zin tricks,\rOK,,ok\r',
		'"Term","Sounds_like","Replaces",,\nZyntrix,"sin tricks; zin tricks",,,\nOK,,ok,,\n',
	])('is CSV as spreadsheets write it: %j', text => {
		expect(pasted(text)).toEqual({
			terms: [{ term: 'Zyntrix', soundsLike: ['sin tricks', 'zin tricks'] }],
			replacements: [{ from: 'ok', to: 'OK' }],
		});
	});

	it('is checked against the limit of the server', () => {
		expect(isTooLong(pasted('😀'.repeat(100)))).toBe(false);
		expect(isTooLong(pasted('x'.repeat(101)))).toBe(true);
		expect(isTooLong(pasted(`term,sounds_like\na,${'x'.repeat(101)}`))).toBe(true);
		expect(isTooLong(pasted(`term,sounds_like,replaces\na,,${'x'.repeat(101)}`))).toBe(true);
	});
});

describe('words of a transcript', () => {
	it.each([
		[' Anna Marie, ', 'Anna Marie'],
		['“C++”', 'C++'],
		['李雷。', '李雷'],
	])('are offered when they are selected: %j', (text, term) => {
		expect(selectedTerm(text)).toEqual({ term, soundsLike: [term] });
	});

	it.each(['', ' … ', 'one two three four five six seven', 'x'.repeat(101)])('are no name: %j', text => {
		expect(selectedTerm(text)).toBeNull();
	});

	it.each([
		['We met sin tricks today.', 'We met Zyntrix today.', 'Zyntrix', 'sin tricks'],
		['We met sin tricks.', 'We met Zyntrix.', 'Zyntrix', 'sin tricks'],
		['ann and Bob', 'Anne and Bob', 'Anne', 'ann'],
		['the h2o', 'the H2O', 'H2O', 'h2o'],
	])('are offered when they were corrected: %j to %j', (before, after, term, old) => {
		expect(correctedTerm(before, after)).toEqual({ term, soundsLike: [old] });
	});

	it.each([
		['We met them.', 'We met teh.'],
		['We met.', 'We met Anna.'],
		['We met Anna.', 'We met.'],
		['We met Anna.', 'We met Anna!'],
		['one two', 'Three Four'],
		['', 'Anna'],
		['same', 'same'],
	])('are not offered otherwise: %j to %j', (before, after) => {
		expect(correctedTerm(before, after)).toBeNull();
	});
});

const SUMMARY = { default: true, changed_at: 1, term_count: 1, replacement_count: 0 };
const WHOLE = {
	...{ ...SUMMARY, name: 'team', replacements: [], capitalize: true, final_period: true, recent_terms: [] },
	terms: [{ term: 'zyntrix', sounds_like: ['sin tricks'] }],
};

test('a word is added to the default vocabulary, and keeps the spellings that it had', async () => {
	const server = await ApiServer.start();
	const client = new Client({ url: server.url });
	server.answers = [
		{ body: { vocabularies: [{ ...SUMMARY, name: 'team' }] } },
		{ body: WHOLE },
		{ body: WHOLE },
	];
	const term = { term: 'Zyntrix', soundsLike: ['zin tricks', 'sin tricks'] };
	expect(await addToDefault(client, term)).toBe('team');
	expect(server.lines.slice(1)).toEqual(['GET /v1/vocabularies/team', 'PATCH /v1/vocabularies/team']);
	expect(JSON.parse(server.received.at(-1)?.body ?? '')).toMatchObject({
		add: [{ term: 'Zyntrix', sounds_like: ['zin tricks', 'sin tricks'] }],
		default: true,
	});
	server.answers = [{ body: { vocabularies: [] } }, { body: WHOLE }];
	expect(await addToDefault(client, term)).toBe('default');
	expect(server.lines.at(-1)).toBe('PATCH /v1/vocabularies/default');
	await server.stop();
});

test('the texts are there in both languages', () => {
	const paths = (texts: object, path = ''): string[] =>
		Object.entries(texts).flatMap(([name, value]) =>
			typeof value === 'object' ? paths(value as object, `${path}${name}.`) : [path + name],
		);
	expect(paths(VOCABULARY_TEXTS.zh)).toEqual(paths(VOCABULARY_TEXTS.en));
});
