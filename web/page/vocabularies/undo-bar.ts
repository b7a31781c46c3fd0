/** What was just removed, at the lower edge of the page, with a button that takes it back; until the next change. */

import { element, pressButton } from '../dom.js';
import type { VocabularyTexts } from './texts.js';

/** Something that can be taken back. */
export interface Undoable {
	/** What it is called. */
	readonly text: string;
	readonly isVocabulary: boolean;
	readonly undo: () => Promise<void>;
}

/** The bar; one for the page. */
export class UndoBar {
	readonly element = element('div', 'deletions');
	#texts: VocabularyTexts;
	#shown: Undoable | null = null;

	/** @param texts - Texts of the bar. */
	constructor(texts: VocabularyTexts) {
		this.#texts = texts;
		this.element.setAttribute('role', 'status');
		this.render(texts);
	}

	/** Changes the language. */
	render(texts: VocabularyTexts): void {
		this.#texts = texts;
		this.element.setAttribute('aria-label', texts.undo.label);
		this.show(this.#shown);
	}

	/** Shows what can be taken back; `null`: nothing. */
	show(undoable: Undoable | null): void {
		this.#shown = undoable;
		this.element.hidden = undoable === null;
		if (undoable === null) {
			this.element.replaceChildren();
			return;
		}
		const { undo } = this.#texts;
		const { text, isVocabulary } = undoable;
		const button = pressButton('small', () => void undoable.undo());
		button.textContent = undo.undo;
		button.setAttribute('aria-label', undo.undoNamed(text));
		const said = isVocabulary ? undo.deleted(text) : undo.removed(text);
		this.element.replaceChildren(element('div', 'deletion', element('span', '', said), button));
	}

	/** Moves the focus to its button. */
	focus(): void {
		this.element.querySelector('button')?.focus();
	}
}
