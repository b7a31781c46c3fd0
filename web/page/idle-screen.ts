/** Hides the controls of the full screen while there is no input from pointer or keyboard. */

const IDLE_MILLISECONDS = 3000;
const SIGNS = ['pointermove', 'pointerdown', 'keydown', 'focusin'] as const;

/** Sets the class `idle` of an element while the full screen is on and left alone. */
export class IdleScreen {
	readonly #element: HTMLElement;
	#timer: ReturnType<typeof setTimeout> | undefined;

	/** @param element - What fills the screen. */
	constructor(element: HTMLElement) {
		this.#element = element;
	}

	/** Starts or stops hiding. */
	watch(isOn: boolean): void {
		for (const sign of SIGNS) {
			if (isOn) {
				document.addEventListener(sign, this.#wake);
			} else {
				document.removeEventListener(sign, this.#wake);
			}
		}
		this.#wake();
		if (!isOn) {
			clearTimeout(this.#timer);
		}
	}

	readonly #wake = (): void => {
		this.#element.classList.remove('idle');
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => this.#element.classList.add('idle'), IDLE_MILLISECONDS);
	};
}
