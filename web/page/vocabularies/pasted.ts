/** Terms from a text that a user has pasted: a list, or CSV with the header of the server's. Pure. */

import type { VocabularyReplacement, VocabularyTerm } from '../../src/index.js';

/** What was pasted. */
export interface Pasted {
	readonly terms: readonly VocabularyTerm[];
	readonly replacements: readonly VocabularyReplacement[];
}

/** The server's limits for each text, and for the spellings of a term. */
export const MAX_CHARACTERS = 100;
export const MAX_SPELLINGS = 10;
/** `term,sounds_like,replaces`, or the first columns of it; a spreadsheet may write semicolons or tabs between them. */
const HEADER = /^term(?:([,;\t])sounds_like(?:\1replaces)?)?\1*$/;

/**
 * Returns the terms of a text. Without the header of CSV, commas separate terms as lines do: a list with commas must not
 * become spellings and replacements.
 */
export function pasted(text: string): Pasted {
	const [first = ''] = text.split(/[\r\n]/, 1);
	const header = HEADER.exec(first.toLowerCase().replace(/[\ufeff" ]/g, ''));
	if (header === null) {
		const terms = text.split(/[\r\n,，、]/).map(plain);
		return {
			terms: terms.filter(term => term !== '').map(term => ({ term, soundsLike: [] })),
			replacements: [],
		};
	}
	const terms: VocabularyTerm[] = [];
	const replacements: VocabularyReplacement[] = [];
	for (const [term = '', sounds = '', replaced = ''] of rowsOf(text, header[1] ?? ',').slice(1)) {
		const froms = parts(replaced);
		replacements.push(...froms.map(from => ({ from, to: plain(term) })));
		if (froms.length === 0 && plain(term) !== '') {
			terms.push({ term: plain(term), soundsLike: parts(sounds) });
		}
	}
	return { terms, replacements };
}

/** Returns whether a text of it is longer than the server allows. */
export function isTooLong({ terms, replacements }: Pasted): boolean {
	const texts = [
		...terms.flatMap(({ term, soundsLike }) => [term, ...soundsLike]),
		...replacements.flatMap(({ from, to }) => [from, to]),
	];
	return texts.some(text => Array.from(text).length > MAX_CHARACTERS);
}

/** Returns a text with single spaces, and none around it. */
export function plain(text: string): string {
	return text.replace(/\s+/gu, ' ').trim();
}

function parts(cell: string): string[] {
	return cell
		.split(';')
		.map(plain)
		.filter(part => part !== '');
}

/** Returns the rows of CSV (RFC 4180), whose columns have a separator between them. */
function rowsOf(text: string, separator: string): string[][] {
	const rows: string[][] = [[]];
	const cell = new RegExp(`(?:"((?:[^"]|"")*)"|([^${separator}\\r\\n]*))(${separator}|\\r\\n?|\\n|$)`, 'g');
	for (const [, quoted, bare = '', end] of text.matchAll(cell)) {
		rows.at(-1)?.push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
		if (end === '') {
			break;
		}
		if (end !== separator) {
			rows.push([]);
		}
	}
	return rows;
}
