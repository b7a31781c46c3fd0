/** The choice of a vocabulary for a session or a file; shown only if there is one that is not the default. */

import type { VocabularySummary } from '../src/index.js';
import type { CaptionTexts } from './caption-texts.js';
import { clientOf } from './server-client.js';

/** Returns the vocabularies of a key; none if the server can't be asked, or accepts no key of this kind. */
export async function listedVocabularies(
	key: string | undefined,
	signal: AbortSignal | null = null,
): Promise<readonly VocabularySummary[]> {
	try {
		return await clientOf(key).vocabularies.list(signal === null ? {} : { signal });
	} catch {
		return [];
	}
}

/** Shows the vocabularies in a list of choices, whose value is empty for the default one. */
export function showVocabularies(
	place: HTMLElement,
	select: HTMLSelectElement,
	texts: CaptionTexts,
	listed: readonly VocabularySummary[],
	chosen: string,
): void {
	const usual = listed.find(({ isDefault }) => isDefault);
	const others = listed.filter(({ isDefault }) => !isDefault);
	place.hidden = others.length === 0;
	const { none, usual: usualName } = texts.vocabulary;
	const first = new Option(usual === undefined ? none : usualName(usual.name), '');
	select.replaceChildren(first, ...others.map(({ name }) => new Option(name, name)));
	select.value = others.some(({ name }) => name === chosen) ? chosen : '';
}
