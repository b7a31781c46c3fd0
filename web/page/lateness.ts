/** Whether captions are late: audio waits for its text, and none has come for a while. Pure. */

/** Speech without text that counts as late. */
export const LATE_SECONDS = 3;

/** With more than this they stay late, although some come: they are of earlier speech. */
const FAR_BEHIND_SECONDS = 10;

/** Watches one stream. */
export class Lateness {
	#textAt: number;
	#isLate = false;
	#hasOverflowed = false;
	readonly #maxKeptSeconds: number;

	/**
	 * @param now - Monotonic time, in seconds.
	 * @param maxKeptSeconds - How much audio the client keeps.
	 */
	constructor(now: number, maxKeptSeconds: number) {
		this.#textAt = now;
		this.#maxKeptSeconds = maxKeptSeconds;
	}

	/** Records that text has come. */
	text(now: number): void {
		this.#textAt = now;
	}

	/** Whether the oldest audio may have been dropped since so much was kept. */
	get hasOverflowed(): boolean {
		return this.#hasOverflowed;
	}

	/**
	 * Returns whether captions are late.
	 *
	 * @param now - Monotonic time, in seconds.
	 * @param keptSeconds - Whole seconds of audio whose text has not arrived; hardly any while nobody speaks.
	 */
	poll(now: number, keptSeconds: number): boolean {
		const isFull = keptSeconds >= Math.floor(this.#maxKeptSeconds) - 1;
		this.#hasOverflowed = isFull || (this.#hasOverflowed && keptSeconds >= this.#maxKeptSeconds / 2);
		const isWaiting =
			now - this.#textAt >= LATE_SECONDS || (this.#isLate && keptSeconds > FAR_BEHIND_SECONDS);
		this.#isLate = keptSeconds >= LATE_SECONDS && isWaiting;
		return this.#isLate;
	}
}
