/** Keeps the screen on while captions are shown, where the browser supports it. */

/** The lock; the browser releases it whenever the page is hidden. */
export class ScreenLock {
	#isWanted = false;
	#lock: Promise<WakeLockSentinel | undefined> | null = null;

	constructor() {
		document.addEventListener('visibilitychange', () => {
			if (!document.hidden) {
				this.#release();
				this.hold(this.#isWanted);
			}
		});
	}

	/** Keeps the screen on from now on, or not. */
	hold(isOn: boolean): void {
		this.#isWanted = isOn;
		if (!isOn) {
			this.#release();
		} else if ('wakeLock' in navigator) {
			this.#lock ??= navigator.wakeLock.request('screen').catch(() => undefined);
		}
	}

	#release(): void {
		void this.#lock?.then(lock => lock?.release());
		this.#lock = null;
	}
}
