/** The list of earlier transcripts. */

import type { CaptionTexts } from './caption-texts.js';
import { byId } from './dom.js';
import { excerpt, type KeptTranscript, keptTime } from './kept.js';

/** What the buttons of the list do. */
export interface KeptActions {
	open(transcript: KeptTranscript): void;
	remove(ids: readonly string[]): void;
}

/** The list, newest first. */
export class KeptList {
	readonly #section = byId('kept', HTMLElement);
	readonly #rows = byId('kept-rows', HTMLElement);
	readonly #removeAll = byId('kept-remove-all', HTMLButtonElement);
	readonly #actions: KeptActions;
	#kept: readonly KeptTranscript[] = [];
	#texts: CaptionTexts;
	#isListening = false;

	/**
	 * @param texts - Texts of the list.
	 * @param actions - What its buttons do.
	 */
	constructor(texts: CaptionTexts, actions: KeptActions) {
		this.#texts = texts;
		this.#actions = actions;
		this.#removeAll.addEventListener('click', () => {
			if (confirm(this.#texts.kept.confirm)) {
				this.#actions.remove(this.#kept.map(({ id }) => id));
				byId('file', HTMLInputElement).focus(); // the list is hidden next
			}
		});
	}

	/** Changes the language. */
	render(texts: CaptionTexts): void {
		this.#texts = texts;
		this.#show();
	}

	/** Shows these transcripts. */
	show(kept: readonly KeptTranscript[]): void {
		this.#kept = kept;
		this.#show();
	}

	/** Whether captions are being added: no others can be shown then. */
	set isListening(isListening: boolean) {
		if (isListening !== this.#isListening) {
			this.#isListening = isListening;
			this.#show();
		}
	}

	#show(): void {
		this.#section.hidden = this.#kept.length === 0;
		this.#rows.replaceChildren(...this.#kept.map(transcript => this.#row(transcript)));
	}

	#row(transcript: KeptTranscript): HTMLElement {
		const { kept } = this.#texts;
		const { id, name, lines, kind } = transcript;
		const when = keptTime(transcript, document.documentElement.lang);
		const title = document.createElement('h3');
		title.textContent = name === '' ? kept.captions : name;
		const note = document.createElement('p');
		note.className = 'note';
		note.textContent = kept.summary(when, lines.length);
		const text = document.createElement('p');
		text.className = 'excerpt';
		text.textContent = excerpt(transcript);
		const named = `${title.textContent}, ${when}`;
		const open = button(kept.show, kept.showNamed(named), () => this.#actions.open(transcript));
		open.disabled = kind === 'captions' && this.#isListening;
		const remove = button(kept.remove, kept.removeNamed(named), () => {
			this.#actions.remove([id]);
			this.#section.focus();
		});
		const head = document.createElement('div');
		head.className = 'bar';
		head.append(title, open, remove);
		const row = document.createElement('li');
		row.append(head, note, text);
		return row;
	}
}

function button(text: string, label: string, press: () => void): HTMLButtonElement {
	const made = document.createElement('button');
	made.type = 'button';
	made.className = 'small';
	made.textContent = text;
	made.setAttribute('aria-label', label);
	made.addEventListener('click', press);
	return made;
}
