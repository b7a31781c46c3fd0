/** The vocabulary to which a word of a transcript is added. */

import type { Client, VocabularyTerm } from '../../src/index.js';
import { MAX_SPELLINGS } from './pasted.js';

/** Name of the one that is created if the key has no default vocabulary. */
const NEW_NAME = 'default';

/**
 * Adds a term to the default vocabulary of the key, and creates one if there is none; spellings that it had stay.
 *
 * @returns The name of the vocabulary.
 * @throws ApiError if the server refuses, or can't be reached.
 */
export async function addToDefault(
	{ vocabularies }: Pick<Client, 'vocabularies'>,
	{ term, soundsLike }: VocabularyTerm,
): Promise<string> {
	const listed = await vocabularies.list();
	const found = listed.find(({ isDefault }) => isDefault);
	const name = found?.name ?? NEW_NAME;
	const isKnown = listed.some(each => each.name === name);
	const terms = isKnown ? (await vocabularies.get(name)).terms : [];
	const before = terms.find(each => each.term.toLowerCase() === term.toLowerCase());
	const spellings = [...new Set([...soundsLike, ...(before?.soundsLike ?? [])])].slice(0, MAX_SPELLINGS);
	await vocabularies.change(name, { add: [{ term, soundsLike: spellings }], isDefault: true });
	return name;
}
