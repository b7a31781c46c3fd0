/** The button that shares a live session; its dialog and the drawing of codes are loaded by the first click. */

import { byId } from '../dom.js';
import type { Language } from '../i18n.js';
import type { SharePanel } from './share-panel.js';

/** The button; it is there while a session is. */
export class ShareButton {
	readonly #button = byId('share', HTMLButtonElement);
	readonly #key: () => string | undefined;
	#session: string | null = null;
	#language: Language = 'en';
	#panel: SharePanel | null = null;

	/** @param key - Returns the key of the session, encoded for headers. */
	constructor(key: () => string | undefined) {
		this.#key = key;
		this.#button.addEventListener('click', () => void this.#open());
	}

	/** Takes the session that is on the page; `null`: there is none. */
	showSession(session: string | null): void {
		this.#session = session;
		this.#button.hidden = session === null;
		this.#panel?.showSession(session);
	}

	/** Changes the language. */
	render(language: Language): void {
		this.#language = language;
		this.#panel?.render(language);
	}

	async #open(): Promise<void> {
		const { SharePanel } = await import('./share-panel.js');
		this.#panel ??= new SharePanel(this.#key, this.#language);
		this.#panel.showSession(this.#session);
		this.#panel.open();
	}
}
