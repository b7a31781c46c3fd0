/** Cuts audio of any rate into frames of 20 ms at 16 kHz, as 16-bit integers. Pure. */

import { FRAME_SAMPLES, SAMPLE_RATE_HZ } from './audio-format.js';
import { Resampler } from './resampler.js';

const FULL_SCALE = 32_768;

/** Turns floats of one rate into frames; an incomplete frame waits for more samples. */
export class FrameCutter {
	readonly #resampler: Resampler | null;
	#frame = new Int16Array(FRAME_SAMPLES);
	#filled = 0;

	/** @throws {@link AuricleError} `bad_parameters`: the rate is not supported. */
	constructor(rateHz: number) {
		this.#resampler = rateHz === SAMPLE_RATE_HZ ? null : new Resampler(rateHz);
	}

	/** Adds samples from -1 to 1; returns the complete frames. */
	push(samples: Float32Array): Int16Array<ArrayBuffer>[] {
		return this.#cut(this.#resampler?.push(samples) ?? samples);
	}

	/** Returns the last frames, with this much silence after the last samples and padding to a whole frame. */
	finish(silenceSamples: number): Int16Array<ArrayBuffer>[] {
		const frames = this.#resampler === null ? [] : this.#cut(this.#resampler.flush());
		frames.push(...this.#cut(new Float32Array(silenceSamples)));
		if (this.#filled > 0) {
			frames.push(...this.#cut(new Float32Array(FRAME_SAMPLES - this.#filled)));
		}
		return frames;
	}

	#cut(samples: Float32Array): Int16Array<ArrayBuffer>[] {
		const frames: Int16Array<ArrayBuffer>[] = [];
		for (const sample of samples) {
			const scaled = Math.round(sample * FULL_SCALE);
			this.#frame[this.#filled++] = Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, scaled));
			if (this.#filled === FRAME_SAMPLES) {
				frames.push(this.#frame);
				this.#frame = new Int16Array(FRAME_SAMPLES);
				this.#filled = 0;
			}
		}
		return frames;
	}
}
