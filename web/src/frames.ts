/** Cuts sound of any rate into frames of 20 ms at 16 kHz, as whole numbers. Pure. */

import { FRAME_SAMPLES, SAMPLE_RATE_HZ } from './audio-format.js';
import { Resampler } from './resampler.js';

const FULL_SCALE = 32_768;

/** Floats of one rate in, frames out; what doesn't fill a frame waits for more. */
export class FrameCutter {
	readonly #resampler: Resampler | null;
	#frame = new Int16Array(FRAME_SAMPLES);
	#filled = 0;

	/** @throws {@link AuricleError} `bad_parameters`: nobody records at this rate. */
	constructor(rateHz: number) {
		this.#resampler = rateHz === SAMPLE_RATE_HZ ? null : new Resampler(rateHz);
	}

	/** Takes samples from -1 to 1; returns the frames that they make whole. */
	push(samples: Float32Array): Int16Array<ArrayBuffer>[] {
		return this.#cut(this.#resampler?.push(samples) ?? samples);
	}

	/** Lets the last samples out too, with so much silence behind them and what fills their frame. */
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
