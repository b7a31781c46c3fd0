/** The failed files of the list, each with a button that transcribes it again. */

import { element, pressButton, setText } from '../dom.js';

/** A failed file. */
export interface FailedRow {
	readonly id: string;
	/** Its link in the list. */
	readonly link: HTMLAnchorElement;
	readonly retryLabel: string;
	/** Transcribes it again; `null`: that needs the file, or can't help. */
	readonly retry: (() => void) | null;
}

/** The group; hidden without rows. */
export class FailedGroup {
	readonly element = element('section', 'row-group failed');
	readonly #title = element('h2');
	readonly #rows = element('ul');
	#shown = '';

	constructor() {
		this.element.append(this.#title, this.#rows);
	}

	/**
	 * Shows rows. Without a change the elements stay: other files report their progress while a button is being pressed.
	 *
	 * @param title - Heading of the group.
	 * @param retry - Text of the buttons.
	 * @param rows - The failed files.
	 */
	show(title: string, retry: string, rows: readonly FailedRow[]): void {
		const all = JSON.stringify([
			retry,
			rows.map(row => [row.link.outerHTML, row.retryLabel, row.retry === null]),
		]);
		setText(this.#title, title);
		this.element.hidden = rows.length === 0;
		if (all === this.#shown) {
			return;
		}
		this.#shown = all;
		const focused = this.#rows.querySelector(':focus');
		const focusedId = focused?.closest('li')?.dataset['id'];
		const isButton = focused instanceof HTMLButtonElement;
		this.#rows.replaceChildren(...rows.map(row => item(row, retry)));
		const again = [...this.#rows.children].find(each => (each as HTMLElement).dataset['id'] === focusedId);
		again?.querySelector<HTMLElement>(isButton ? 'button' : 'a')?.focus();
	}
}

function item({ id, link, retryLabel, retry }: FailedRow, text: string): HTMLElement {
	const item = element('li', '', link);
	item.dataset['id'] = id;
	if (retry !== null) {
		const button = pressButton('small', retry);
		button.textContent = text;
		button.setAttribute('aria-label', retryLabel);
		item.append(button);
	}
	return item;
}
