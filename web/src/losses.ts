/** Speech that no session will receive. Pure. */

/** A lost stretch, in samples of the stream. */
export interface Loss {
	readonly startSample: number;
	readonly endSample: number;
	readonly code: string;
}

/** Collects lost stretches, and reports each once, after all finals before it. */
export class Losses {
	#known: Loss[] = []; // in order of time, without overlaps
	#waiting: Loss[] = [];

	/** Adds a stretch; known parts of it are not reported again. */
	note(startSample: number, endSample: number, code: string): void {
		let start = startSample;
		for (const known of [...this.#known]) {
			this.#add(start, Math.min(endSample, known.startSample), code);
			start = Math.max(start, known.endSample);
		}
		this.#add(start, endSample, code);
	}

	/**
	 * Returns what to report now, in order of time.
	 *
	 * @param safeSample - All finals before it have arrived; if omitted, all losses are due.
	 */
	due(safeSample = Infinity): Loss[] {
		const due = this.#waiting.filter(({ startSample }) => startSample <= safeSample);
		this.#waiting = this.#waiting.filter(({ startSample }) => startSample > safeSample);
		this.#known = this.#known.filter(({ endSample }) => endSample > safeSample);
		return due;
	}

	#add(startSample: number, endSample: number, code: string): void {
		if (endSample > startSample) {
			for (const losses of [this.#known, this.#waiting]) {
				losses.push({ startSample, endSample, code });
				losses.sort((one, other) => one.startSample - other.startSample);
			}
		}
	}
}
