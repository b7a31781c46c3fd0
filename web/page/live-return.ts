/** Remembers in the tab which captions a session adds to: a reload in mid-session shows them again. */

import { store, stored } from './storage.js';

const SESSION = 'auricle.live.session';

/** What the tab was listening to. */
export class LiveReturn {
	/** ID of the captions that a page before was adding to; `null`: none, or they were shown. */
	#interrupted = stored('sessionStorage', SESSION);
	#isOn = false;

	/** Takes the ID of the captions that were interrupted; `null`: none. */
	take(): string | null {
		const id = this.#interrupted;
		this.#interrupted = null;
		return id;
	}

	/**
	 * Notes whether a session adds captions.
	 *
	 * @param isOn - Whether it does.
	 * @param id - ID of the captions.
	 */
	note(isOn: boolean, id: string): void {
		if (isOn) {
			this.#interrupted = null;
			store('sessionStorage', SESSION, id);
		} else if (this.#isOn) {
			store('sessionStorage', SESSION, null);
		}
		this.#isOn = isOn;
	}
}
