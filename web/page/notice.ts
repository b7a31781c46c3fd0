/** The notice above both places: the newest problem, in the language of the page. */

import type { CaptionTexts, Sentence } from './caption-texts.js';
import { byId, setText } from './dom.js';

/** Shows one problem at a time. */
export class Notice {
	readonly #element = byId('notice', HTMLElement);
	#texts: CaptionTexts;
	#sentence: Sentence | null = null;

	/** @param texts - Texts of the problems. */
	constructor(texts: CaptionTexts) {
		this.#texts = texts;
	}

	/** The shown problem. */
	get sentence(): Sentence | null {
		return this.#sentence;
	}

	/** Changes the language. */
	render(texts: CaptionTexts): void {
		this.#texts = texts;
		this.show(this.#sentence);
	}

	/** Shows a problem; `null` removes it. */
	show(sentence: Sentence | null): void {
		this.#sentence = sentence;
		this.#element.hidden = sentence === null;
		setText(this.#element, sentence?.(this.#texts) ?? '');
	}
}
