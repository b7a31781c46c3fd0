/** The button that shares a live session; its dialog and the drawing of codes are loaded when a session starts. */

import { problem } from '../caption-texts.js';
import { byId } from '../dom.js';
import type { Language } from '../i18n.js';
import type { Notice } from '../notice.js';
import type { SharePanel } from './share-panel.js';

/** The button, and the notice that earlier links have ended; they are there while a session is. */
export class ShareButton {
	readonly #button = byId('share', HTMLButtonElement);
	readonly #linksVoid = byId('links-void', HTMLElement);
	readonly #key: () => string | undefined;
	readonly #notice: Notice;
	#session: string | null = null;
	#language: Language = 'en';
	#panel: SharePanel | null = null;

	/**
	 * @param key - Returns the key of the session, encoded for headers.
	 * @param notice - Reports that the dialog can't be loaded.
	 */
	constructor(key: () => string | undefined, notice: Notice) {
		this.#key = key;
		this.#notice = notice;
		this.#button.addEventListener('click', () => void this.#open());
	}

	/** Takes the session that is on the page; `null`: there is none. */
	showSession(session: string | null): void {
		this.#session = session;
		this.#button.hidden = session === null;
		this.#panel?.showSession(session);
		if (session !== null) {
			load().catch(() => undefined); // cached: the dialog then opens also while the server is away
		}
	}

	/** Changes the language. */
	render(language: Language): void {
		this.#language = language;
		this.#panel?.render(language);
	}

	async #open(): Promise<void> {
		try {
			const { SharePanel } = await load();
			this.#panel ??= new SharePanel(this.#key, this.#language, areVoid => {
				this.#linksVoid.hidden = !areVoid;
			});
		} catch {
			this.#notice.show(problem('not_shared'));
			return;
		}
		this.#panel.showSession(this.#session);
		this.#panel.open();
	}
}

function load(): Promise<typeof import('./share-panel.js')> {
	return import('./share-panel.js');
}
