/** The main column without a transcript: where files are chosen, and how they are transcribed. */

import { element } from '../dom.js';
import type { FileOptions } from './file-options.js';
import type { PlaceTexts } from './texts.js';

/** The view; one for the place. */
export class FreshView {
	readonly element = element('section', 'fresh-view');
	readonly #title = element('h2', 'recording-title');
	readonly #choose = element('label', 'button primary');
	readonly #file = element('input');
	readonly #drop = element('p');
	readonly #privacy = element('p', 'note');
	readonly #options: FileOptions;

	/**
	 * @param texts - Texts of the view.
	 * @param options - How files are transcribed.
	 * @param add - Gets the chosen files.
	 */
	constructor(texts: PlaceTexts, options: FileOptions, add: (files: readonly File[]) => void) {
		this.#options = options;
		this.#title.tabIndex = -1;
		this.#file.type = 'file';
		this.#file.id = 'file';
		this.#file.accept = 'audio/*,video/*';
		this.#file.multiple = true;
		this.#choose.htmlFor = 'file';
		this.#file.addEventListener('change', () => {
			add([...(this.#file.files ?? [])]);
			this.#file.value = ''; // the same file may be chosen again
		});
		const drop = element('div', 'drop', this.#file, this.#choose, this.#drop);
		this.element.append(this.#title, drop, options.element, this.#privacy);
		this.render(texts);
	}

	/** Moves the focus to its title. */
	focus(): void {
		this.#title.focus();
	}

	/** Changes the language. */
	render(texts: PlaceTexts): void {
		const { fresh } = texts.own;
		this.#title.textContent = fresh.title;
		this.#choose.textContent = fresh.choose;
		this.#drop.textContent = fresh.drop;
		this.#privacy.textContent = fresh.privacy;
		this.#options.render(texts);
	}
}
