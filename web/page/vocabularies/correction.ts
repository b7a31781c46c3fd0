/** Which words of a transcript a vocabulary should have: those that are selected, or that the user has corrected. Pure. */

import type { VocabularyTerm } from '../../src/index.js';
import { MAX_CHARACTERS, plain } from './pasted.js';

/** Longer parts are sentences, not names. */
const MAX_WORDS = 6;
const AROUND =
	/^[\s.,;:!?…"“”‘’'()[\]{}«»¿¡、，。！？；：（）]+|[\s.,;:!?…"“”‘’'()[\]{}«»¿¡、，。！？；：（）]+$/gu;

/** Returns what is selected as a term that sounds like itself; `null`: it is no name. */
export function selectedTerm(text: string): VocabularyTerm | null {
	const term = bare(plain(text));
	return isName(term) ? { term, soundsLike: [term] } : null;
}

/**
 * Returns the words of a sentence that were corrected, which sound like the words before; `null`: there are none, or they are
 * common words, in small letters. Scripts without spaces have no words here.
 */
export function correctedTerm(before: string, after: string): VocabularyTerm | null {
	const old = plain(before).split(' ');
	const now = plain(after).split(' ');
	const isSame = (one = '', other = ''): boolean => bare(one) === bare(other);
	const most = Math.min(old.length, now.length);
	let start = 0;
	while (start < most && isSame(old[start], now[start])) {
		start++;
	}
	let end = 0;
	while (end < most - start && isSame(old.at(-1 - end), now.at(-1 - end))) {
		end++;
	}
	const replaced = bare(old.slice(start, old.length - end).join(' '));
	const term = bare(now.slice(start, now.length - end).join(' '));
	const isWhole = now.length - end - start === now.length && now.length > 1;
	if (isWhole || replaced === term || !isName(replaced) || !isName(term) || !/[\p{Lu}\p{N}]/u.test(term)) {
		return null;
	}
	return { term, soundsLike: [replaced] };
}

function bare(text: string): string {
	return text.replace(AROUND, '');
}

function isName(text: string): boolean {
	return text !== '' && text.length <= MAX_CHARACTERS && text.split(' ').length <= MAX_WORDS;
}
