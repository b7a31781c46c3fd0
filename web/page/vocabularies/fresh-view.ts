/** The form for a new vocabulary. */

import type { VocabularyChange, VocabularySummary } from '../../src/index.js';
import { element } from '../dom.js';
import { isTooLong, pasted } from './pasted.js';
import type { VocabularyTexts } from './texts.js';

/** Suggested for the first one. */
const FIRST_NAME = 'default';
/** As the server allows. */
const NAME = '[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}';

/** The form. */
export class FreshView {
	readonly element = element('form', 'vocabulary');
	readonly #title = element('h2');
	readonly #lead = element('p', 'note');
	readonly #nameLabel = element('span');
	readonly #name = element('input', 'field');
	readonly #nameHint = element('p', 'note');
	readonly #termsLabel = element('span');
	readonly #terms = element('textarea', 'field');
	readonly #termsHint = element('p', 'note');
	readonly #defaultLabel = element('span');
	readonly #isDefault = element('input');
	readonly #create = element('button', 'primary');
	readonly #problem = element('p', 'notice');
	#texts: VocabularyTexts;
	#listed: readonly VocabularySummary[] = [];

	/**
	 * @param texts - Texts of the form.
	 * @param create - Creates a vocabulary.
	 */
	constructor(texts: VocabularyTexts, create: (name: string, change: VocabularyChange) => void) {
		this.#texts = texts;
		this.#title.tabIndex = -1;
		this.#name.required = true;
		this.#name.pattern = NAME;
		this.#name.autocomplete = 'off';
		this.#name.spellcheck = false;
		this.#nameHint.id = 'vocabulary-name-hint';
		this.#name.setAttribute('aria-describedby', this.#nameHint.id);
		this.#terms.rows = 8;
		this.#terms.spellcheck = false;
		this.#termsHint.id = 'vocabulary-terms-hint';
		this.#terms.setAttribute('aria-describedby', this.#termsHint.id);
		this.#isDefault.type = 'checkbox';
		this.#problem.dataset['kind'] = 'error';
		this.#problem.setAttribute('role', 'alert');
		this.#problem.hidden = true;
		this.element.append(
			element('div', 'recording-head', this.#title, this.#lead),
			element('div', '', element('label', 'choice', this.#nameLabel, this.#name), this.#nameHint),
			element('div', '', element('label', 'choice', this.#termsLabel, this.#terms), this.#termsHint),
			element('label', 'option', this.#isDefault, this.#defaultLabel),
			this.#problem,
			element('div', 'tools', this.#create),
		);
		this.element.addEventListener('submit', event => {
			event.preventDefault();
			const name = this.#name.value;
			const { terms, replacements } = pasted(this.#terms.value);
			const problem = this.#listed.some(each => each.name === name)
				? this.#texts.fresh.exists
				: isTooLong({ terms, replacements })
					? this.#texts.problems.tooLong
					: '';
			this.#problem.textContent = problem;
			this.#problem.hidden = problem === '';
			if (problem === '') {
				create(name, { add: terms, addReplacements: replacements, isDefault: this.#isDefault.checked });
			}
		});
		this.render(texts);
	}

	/** Empties the form, for a key with these vocabularies. */
	reset(listed: readonly VocabularySummary[]): void {
		this.#listed = listed;
		const isFirst = !listed.some(({ isDefault }) => isDefault);
		this.#name.value = listed.length === 0 ? FIRST_NAME : '';
		this.#terms.value = '';
		this.#isDefault.checked = isFirst;
		this.#problem.hidden = true;
	}

	/** Changes the language. */
	render(texts: VocabularyTexts): void {
		this.#texts = texts;
		const { fresh } = texts;
		this.#title.textContent = fresh.title;
		this.#lead.textContent = fresh.lead;
		this.#nameLabel.textContent = fresh.name;
		this.#nameHint.textContent = fresh.nameHint;
		this.#name.title = fresh.nameHint; // browsers add it to what they say of an invalid name
		this.#termsLabel.textContent = texts.terms.title;
		this.#termsHint.textContent = texts.terms.hint;
		this.#defaultLabel.textContent = texts.isDefault;
		this.#create.textContent = fresh.create;
	}

	/** Moves the focus to its title. */
	focus(): void {
		this.#title.focus();
	}
}
