/** The offer of the newest kept captions, while the Live place has none. */

import type { CaptionTexts } from './caption-texts.js';
import { byId } from './dom.js';
import { type KeptTranscript, keptTime } from './kept.js';

/** The offer and its button. */
export class KeptOffer {
	readonly #offer = byId('offer', HTMLElement);
	readonly #text = byId('offer-text', HTMLElement);
	#texts: CaptionTexts;
	#newest: KeptTranscript | null = null;
	#isListening = false;
	#isOver = false;

	/**
	 * @param texts - Texts of the offer.
	 * @param accept - Shows the captions.
	 */
	constructor(texts: CaptionTexts, accept: (transcript: KeptTranscript) => void) {
		this.#texts = texts;
		byId('offer-show', HTMLButtonElement).addEventListener('click', () => {
			if (this.#newest !== null) {
				accept(this.#newest);
				byId('scroll', HTMLElement).focus(); // this button is hidden next
			}
		});
	}

	/** Changes the language. */
	render(texts: CaptionTexts): void {
		this.#texts = texts;
		this.#show();
	}

	/** Offers the newest of these captions. */
	offer(kept: readonly KeptTranscript[]): void {
		this.#newest = kept.find(({ kind }) => kind === 'captions') ?? null;
		this.#show();
	}

	/** Removes the offer: the place shows captions, or has shown them until they were cleared. */
	end(): void {
		this.#isOver = true;
		this.#show();
	}

	/** Whether captions are being added: no others can be shown then. */
	set isListening(isListening: boolean) {
		this.#isListening = isListening;
		this.#show();
	}

	#show(): void {
		const newest = this.#newest;
		this.#offer.hidden = newest === null || this.#isListening || this.#isOver;
		this.#text.textContent =
			newest === null ? '' : this.#texts.kept.offer(keptTime(newest, document.documentElement.lang));
	}
}
