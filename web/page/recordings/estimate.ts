/** How long a job will take from its progress so far. Pure. */

/** Progress below which an estimate would jump: the first chunks also pay for the start. */
const MIN_SHARE = 0.03;
const MIN_ELAPSED_SECONDS = 2;

/** The progress of one phase of a job. */
export class RemainingTime {
	#first: { seconds: number; share: number } | null = null;

	/**
	 * Returns the remaining time in seconds; `null` while it is unknown.
	 *
	 * @param share - Progress of the phase, 0 to 1.
	 * @param nowSeconds - Time of the progress on any clock that is never set.
	 */
	record(share: number, nowSeconds: number): number | null {
		this.#first ??= { seconds: nowSeconds, share };
		const elapsedSeconds = nowSeconds - this.#first.seconds;
		const done = share - this.#first.share;
		if (elapsedSeconds < MIN_ELAPSED_SECONDS || done < MIN_SHARE) {
			return null;
		}
		return (elapsedSeconds * Math.max(0, 1 - share)) / done;
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
