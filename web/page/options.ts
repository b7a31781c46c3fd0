/** The panel of options, and those that change the look of the captions. */

import { byId } from './dom.js';
import { store, stored } from './storage.js';

/** The panel above its button. */
export class OptionsPanel {
	readonly #dock = byId('dock', HTMLElement);
	readonly #panel = byId('options', HTMLElement);
	readonly #button = byId('options-open', HTMLButtonElement);

	constructor() {
		this.#button.addEventListener('click', () => this.#open(this.#button.ariaExpanded !== 'true'));
		document.addEventListener('keydown', ({ key }) => {
			if (key === 'Escape' && !this.#panel.hidden) {
				this.#open(false);
				this.#button.focus();
			}
		});
		document.addEventListener('pointerdown', ({ target }) => {
			if (target instanceof Node && !this.#dock.contains(target)) {
				this.#open(false);
			}
		});
		for (const look of ['text-size', 'contrast', 'position'] as const) {
			rememberLook(look);
		}
	}

	#open(isOpen: boolean): void {
		this.#panel.hidden = !isOpen;
		this.#dock.classList.toggle('open', isOpen);
		this.#button.setAttribute('aria-expanded', String(isOpen));
	}
}

/** Keeps a look in the browser, and gives it to the captions as a `data-` attribute. */
function rememberLook(id: 'text-size' | 'contrast' | 'position'): void {
	const select = rememberedSelect(id);
	const show = (): void => byId('captions', HTMLElement).setAttribute(`data-${id}`, select.value);
	select.addEventListener('change', show);
	show();
}

/** Returns a list of choices that keeps its state in the browser. */
export function rememberedSelect(id: string): HTMLSelectElement {
	const select = byId(id, HTMLSelectElement);
	const name = `auricle.${id}`;
	const usual = select.value;
	select.value = stored('localStorage', name) ?? usual;
	if (select.selectedIndex < 0) {
		select.value = usual; // an older page has stored another value
	}
	select.addEventListener('change', () => store('localStorage', name, select.value));
	return select;
}

/** Returns a checkbox or text field that keeps its state in the browser. */
export function remembered(id: string): HTMLInputElement {
	const input = byId(id, HTMLInputElement);
	const name = `auricle.${id}`;
	const isBox = input.type === 'checkbox';
	const kept = stored('localStorage', name) ?? '';
	if (isBox) {
		input.checked = kept === '1';
	} else {
		input.value = kept;
	}
	input.addEventListener('change', () => {
		store('localStorage', name, isBox ? (input.checked ? '1' : '') : input.value);
	});
	return input;
}
