/** Asks how a term is written, and how it sounds. */

import type { VocabularyTerm } from '../../src/index.js';
import { element } from '../dom.js';
import { askForm } from '../form-dialog.js';
import { MAX_CHARACTERS, MAX_SPELLINGS, plain } from './pasted.js';
import type { VocabularyTexts } from './texts.js';

/** Shows the dialog; returns the term, `'remove'`, or `null` if it was cancelled. */
export function askTerm(
	texts: VocabularyTexts,
	title: string,
	{ term, soundsLike }: VocabularyTerm,
	isNew = false,
): Promise<VocabularyTerm | 'remove' | null> {
	const spelling = element('input', 'field');
	spelling.maxLength = MAX_CHARACTERS;
	spelling.autocomplete = 'off';
	spelling.required = true;
	spelling.value = term;
	const sounds = element('textarea', 'field');
	sounds.rows = 3;
	sounds.autocomplete = 'off';
	sounds.value = soundsLike.join('\n');
	const hint = element('p', 'note', texts.term.soundsHint);
	hint.id = 'sounds-hint';
	sounds.setAttribute('aria-describedby', hint.id);
	return askForm<VocabularyTerm | 'remove'>({
		title,
		fields: [
			element('label', 'choice', texts.term.spelling, spelling),
			element('div', '', element('label', 'choice', texts.term.sounds, sounds), hint),
		],
		save: isNew ? texts.terms.add : texts.term.save,
		cancel: texts.term.cancel,
		...(isNew ? {} : { other: { text: texts.term.remove, answer: 'remove' } as const }),
		answer: () => {
			const lines = sounds.value.split('\n').map(line => plain(line).slice(0, MAX_CHARACTERS));
			const others = lines.filter(line => line !== '' && line !== plain(spelling.value));
			return plain(spelling.value) === ''
				? null
				: { term: plain(spelling.value), soundsLike: others.slice(0, MAX_SPELLINGS) };
		},
	});
}
