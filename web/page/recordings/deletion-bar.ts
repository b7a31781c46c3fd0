/** What was just deleted, at the lower edge of the page, each with a button that takes it back. */

import { element, pressButton } from '../dom.js';
import { UNDO_MILLISECONDS } from './deletions.js';
import { EDIT_TEXTS } from './edit-texts.js';
import type { Deletion } from './pending-deletions.js';
import type { PlaceTexts } from './texts.js';

/** The bar; one for the page. */
export class DeletionBar {
	readonly element = element('div', 'deletions');
	readonly #undo: (deletion: Deletion) => void;
	readonly #focusLost: () => void;
	readonly #rows = new Map<string, HTMLElement>();
	#texts: PlaceTexts;
	#shown: readonly Deletion[] = [];

	/**
	 * @param texts - Texts of the bar.
	 * @param undo - Takes a deletion back.
	 * @param focusLost - Called when the button with the focus is gone.
	 */
	constructor(texts: PlaceTexts, undo: (deletion: Deletion) => void, focusLost: () => void) {
		this.#texts = texts;
		this.#undo = undo;
		this.#focusLost = focusLost;
		this.element.setAttribute('role', 'status');
		this.render(texts);
	}

	/** Changes the language. */
	render(texts: PlaceTexts): void {
		this.#texts = texts;
		this.element.setAttribute('aria-label', EDIT_TEXTS[texts.language].deletion.label);
		const shown = this.#shown;
		this.#rows.forEach(row => row.remove());
		this.#rows.clear();
		this.show(shown);
	}

	/** Shows the deletions that can be undone; the others disappear. */
	show(undoable: readonly Deletion[]): void {
		this.#shown = undoable;
		const ids = new Set(undoable.map(({ id }) => id));
		let isFocusLost = false;
		for (const [id, row] of this.#rows) {
			if (!ids.has(id)) {
				isFocusLost ||= row.contains(document.activeElement);
				row.remove();
				this.#rows.delete(id);
			}
		}
		for (const deletion of undoable) {
			if (!this.#rows.has(deletion.id)) {
				const row = this.#row(deletion);
				this.#rows.set(deletion.id, row);
				this.element.append(row);
			}
		}
		this.element.hidden = undoable.length === 0;
		if (isFocusLost) {
			this.#focusLost();
		}
	}

	/** Moves the focus to the newest button. */
	focus(): void {
		[...this.#rows.values()].at(-1)?.querySelector('button')?.focus();
	}

	#row(deletion: Deletion): HTMLElement {
		const { deletion: own } = EDIT_TEXTS[this.#texts.language];
		const { name, ids, at } = deletion;
		const button = pressButton('small', () => this.#undo(deletion));
		button.textContent = own.undo;
		button.setAttribute('aria-label', name === '' ? own.undoAll : own.undoNamed(name));
		const text = name === '' ? own.deletedAll(ids.length) : own.deleted(name);
		const time = element('i', 'time-left');
		time.style.setProperty('--left', `${Math.max(0, at - Date.now())}ms`);
		time.style.setProperty('--share', String(Math.max(0, at - Date.now()) / UNDO_MILLISECONDS));
		return element('div', 'deletion', element('span', '', text), button, time);
	}
}
