/** How long a job will take from its progress so far. Pure. */

/** Progress below which an estimate would jump: the first chunks also pay for the start. */
const MIN_SHARE = 0.03;
const MIN_ELAPSED_SECONDS = 2;
/** A longer estimate is reported from here on; less is noise. */
const SLOWER_FACTOR = 1.25;
const SLOWER_SECONDS = 10;

/** The estimated rest of a job. */
export interface Remaining {
	readonly seconds: number;
	/** Whether it is longer than was estimated before. */
	readonly isSlower: boolean;
}

/** The progress of one phase of a job. Its estimate never rises, unless it says that the job is slower. */
export class RemainingTime {
	#first: { seconds: number; share: number } | null = null;
	#seconds = Infinity;
	/** The estimate before it rose; `null`: it has not, or the job has made up for it. */
	#before: number | null = null;

	/**
	 * Returns the remaining time; `null` while it is unknown.
	 *
	 * @param share - Progress of the phase, 0 to 1.
	 * @param nowSeconds - Time of the progress on any clock that is never set.
	 */
	record(share: number, nowSeconds: number): Remaining | null {
		this.#first ??= { seconds: nowSeconds, share };
		const elapsedSeconds = nowSeconds - this.#first.seconds;
		const done = share - this.#first.share;
		if (elapsedSeconds < MIN_ELAPSED_SECONDS || done < MIN_SHARE) {
			return null;
		}
		const seconds = (elapsedSeconds * Math.max(0, 1 - share)) / done;
		if (seconds > this.#seconds * SLOWER_FACTOR + SLOWER_SECONDS) {
			this.#before ??= this.#seconds;
		} else if (this.#before !== null && seconds <= this.#before) {
			this.#before = null;
		}
		const isSlower = this.#before !== null;
		this.#seconds = isSlower ? seconds : Math.min(seconds, this.#seconds);
		return { seconds: this.#seconds, isSlower };
	}
}

/** Returns a duration that changes seldom: seconds to 5, from 90 s on in minutes. */
export function coarse(seconds: number): { value: number; unit: 'second' | 'minute' | 'hour' } {
	if (seconds < 90) {
		return { value: Math.max(5, Math.ceil(seconds / 5) * 5), unit: 'second' };
	}
	if (seconds < 90 * 60) {
		return { value: Math.round(seconds / 60), unit: 'minute' };
	}
	return { value: Math.round(seconds / 3600), unit: 'hour' };
}
