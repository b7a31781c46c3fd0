/** The notice of both places: the newest problem, in the language of the page. */

import type { CaptionTexts, Sentence } from './caption-texts.js';
import { byId, setText } from './dom.js';

/**
 * How a notice looks. `error`: something does not work, and the user can do something about it; `wait`: it is late or away,
 * and the page goes on by itself; `hint`: good to know.
 */
export type NoticeKind = 'error' | 'wait' | 'hint';

const WAITS: ReadonlySet<string> = new Set([
	'network',
	'restarting',
	'busy',
	'full',
	'starting',
	'late',
	'overflow',
	'slow',
]);
const HINTS: ReadonlySet<string> = new Set([
	...['silent', 'source_muted', 'source_ended', 'sound_suspended', 'audio_gap', 'audio_dropped'],
	...['similar_channels', 'language_improbable', 'speakers_unavailable', 'turns_unavailable'],
	...['encoder_failed', 'unauthorized', 'tab_denied'],
]);

/** Returns how to show the problem of a cause or code. */
export function kindOf(code: string): NoticeKind {
	return WAITS.has(code) ? 'wait' : HINTS.has(code) ? 'hint' : 'error';
}

/** Shows one problem at a time. */
export class Notice {
	readonly #element = byId('notice', HTMLElement);
	readonly #text = document.createElement('span');
	readonly #aside = document.createElement('span');
	#texts: CaptionTexts;
	#sentence: Sentence | null = null;
	#figure: Sentence | null = null;

	/** @param texts - Texts of the problems. */
	constructor(texts: CaptionTexts) {
		this.#texts = texts;
		this.#aside.className = 'aside';
		this.#aside.setAttribute('aria-hidden', 'true');
		this.#element.append(this.#text, this.#aside);
	}

	/** The shown problem. */
	get sentence(): Sentence | null {
		return this.#sentence;
	}

	/** Changes the language. */
	render(texts: CaptionTexts): void {
		this.#texts = texts;
		this.#show();
	}

	/**
	 * Shows a problem.
	 *
	 * @param sentence - The problem; `null` removes it.
	 * @param kind - How it looks.
	 * @param figure - A figure at its end that may change every second; it is not announced.
	 */
	show(sentence: Sentence | null, kind: NoticeKind = 'error', figure: Sentence | null = null): void {
		this.#sentence = sentence;
		this.#figure = figure;
		this.#element.dataset['kind'] = kind;
		this.#show();
	}

	#show(): void {
		this.#element.hidden = this.#sentence === null;
		const text = this.#sentence?.(this.#texts) ?? '';
		const figure = this.#figure?.(this.#texts) ?? '';
		const end = figure === '' ? '' : text.slice(-1); // the full stop of the sentence, after the figure
		setText(this.#text, text.slice(0, text.length - end.length));
		setText(this.#aside, figure + end);
	}
}
