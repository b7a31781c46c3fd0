/** Offers to add the words that are selected in a transcript, or that were corrected, to the default vocabulary. */

import { ApiError, type VocabularyTerm } from '../../src/index.js';
import { problem, type Sentence } from '../caption-texts.js';
import { element, pressButton } from '../dom.js';
import type { Language } from '../i18n.js';
import type { Key } from '../key.js';
import { fragmentOf } from '../place.js';
import { clientOf } from '../server-client.js';
import { correctedTerm, selectedTerm } from './correction.js';
import { addToDefault } from './default-vocabulary.js';
import { askTerm } from './term-dialog.js';
import { VOCABULARY_TEXTS } from './texts.js';

/** What the bar uses of the transcript around it. */
export interface WordBarContext {
	readonly key: Key;
	readonly showProblem: (sentence: Sentence | null) => void;
	/** The vocabularies of the key have changed. */
	readonly changed: () => void;
}

/** Where the bar is from. */
export interface WordBarSource {
	/** Whether the server has vocabularies. */
	readonly isOffered: () => boolean;
	readonly load: () => Promise<{ readonly WordBar: typeof WordBar }>;
}

/** The bar at the lower edge of the page, of one transcript. */
export class WordBar {
	readonly element = element('div', 'deletions');
	readonly #within: HTMLElement;
	readonly #context: WordBarContext;
	readonly #select = (): void => this.#selected();
	#language: Language;
	#offered: VocabularyTerm | null = null;
	#isSelection = false;
	#added: { readonly term: string; readonly vocabulary: string } | null = null;

	/**
	 * @param language - Language of its texts.
	 * @param within - Where words can be selected.
	 * @param context - The transcript around it.
	 */
	constructor(language: Language, within: HTMLElement, context: WordBarContext) {
		this.#language = language;
		this.#within = within;
		this.#context = context;
		this.element.setAttribute('role', 'status');
		this.element.addEventListener('mousedown', event => event.preventDefault()); // the selection stays
		document.addEventListener('selectionchange', this.#select);
		this.render(language);
	}

	/** Offers what the user has corrected in a sentence, if it is a name. */
	corrected(before: string, after: string): void {
		const term = correctedTerm(before, after);
		if (term !== null) {
			this.#isSelection = false;
			this.#offer(term);
		}
	}

	/** Changes the language. */
	render(language: Language): void {
		this.#language = language;
		this.element.setAttribute('aria-label', this.#texts.label);
		this.#show();
	}

	/** Ends it. */
	close(): void {
		document.removeEventListener('selectionchange', this.#select);
	}

	get #texts() {
		return VOCABULARY_TEXTS[this.#language].pick;
	}

	#selected(): void {
		const selection = getSelection();
		const isWithin = selection?.isCollapsed === false && this.#within.contains(selection.anchorNode);
		const term = isWithin ? selectedTerm(selection.toString()) : null;
		if (term !== null) {
			this.#isSelection = true;
			this.#offer(term);
		} else if (this.#isSelection && !this.element.contains(document.activeElement)) {
			this.#offer(null);
		}
	}

	#offer(term: VocabularyTerm | null): void {
		if (term?.term !== this.#offered?.term) {
			this.#offered = term;
			this.#added = null;
			this.#show();
		}
	}

	#show(): void {
		const { open, done, show } = this.#texts;
		const added = this.#added;
		const offered = this.#offered;
		this.element.hidden = added === null && offered === null;
		if (added !== null) {
			const link = element('a', '', show);
			link.href = fragmentOf({ name: 'vocabularies', id: added.vocabulary });
			const said = element('span', '', done(added.term, added.vocabulary), ' ', link);
			this.element.replaceChildren(element('div', 'deletion', said, this.#closeButton()));
		} else if (offered === null) {
			this.element.replaceChildren();
		} else {
			const button = pressButton('small', () => void this.#add(offered));
			button.textContent = open(offered.term);
			this.element.replaceChildren(element('div', 'deletion', button, this.#closeButton()));
		}
	}

	#closeButton(): HTMLButtonElement {
		const button = pressButton('plain small', () => {
			this.#offered = this.#added = null;
			this.#show();
		});
		button.textContent = '×';
		button.setAttribute('aria-label', this.#texts.close);
		return button;
	}

	async #add(offered: VocabularyTerm): Promise<void> {
		const texts = VOCABULARY_TEXTS[this.#language];
		const term = await askTerm(texts, texts.pick.title, offered, true);
		if (term === null || term === 'remove') {
			return;
		}
		try {
			const vocabulary = await addToDefault(clientOf(this.#context.key.value), term);
			this.#context.showProblem(null);
			this.#added = { term: term.term, vocabulary };
			this.#offered = null;
			this.#isSelection = false;
			this.#show();
			this.element.querySelector('a')?.focus();
			this.#context.changed();
		} catch (error) {
			const code = error instanceof ApiError ? error.code : 'internal';
			const sentence =
				code === 'bad_request'
					? () => texts.problems.refused
					: problem(code === 'unreachable' ? 'offline' : code);
			this.#context.showProblem(sentence);
		}
	}
}
