/** Resamples any rate to 16 kHz in chunks: a windowed sinc, one set of taps for each phase. Pure. */

import { SAMPLE_RATE_HZ } from './audio-format.js';
import { AuricleError } from './errors.js';

const MIN_RATE_HZ = 8000;
const MAX_RATE_HZ = 192_000;
/** Zero crossings on each side: the stop band is 70 dB down, and the delay is at most 1 ms. */
const CROSSINGS = 16;
/** Fraction of the band that is kept; the filter falls off in the rest. */
const ROLL_OFF = 0.92;

/**
 * Checks a sample rate.
 *
 * @throws {@link AuricleError} `bad_parameters`: the rate is not supported.
 */
export function checkRate(rateHz: number): void {
	if (!Number.isInteger(rateHz) || rateHz < MIN_RATE_HZ || rateHz > MAX_RATE_HZ) {
		throw new AuricleError(
			'bad_parameters',
			`The sample rate must be a whole number from ${MIN_RATE_HZ} to ${MAX_RATE_HZ} Hz, not ${rateHz}.`,
		);
	}
}

/** Resamples one stream to 16 kHz; samples held back are returned with the next chunk. */
export class Resampler {
	readonly #step: number; // input samples for one cycle of phases
	readonly #phases: number;
	readonly #half: number; // input samples on each side of an output sample
	readonly #taps: Float32Array;
	#pending: Float32Array;
	#at = 0; // the next output sample, in 1/phases of an input sample, counted from the first one held

	/** @throws {@link AuricleError} `bad_parameters`: the rate is not supported. */
	constructor(rateHz: number) {
		checkRate(rateHz);
		const common = greatestCommonDivisor(rateHz, SAMPLE_RATE_HZ);
		this.#phases = SAMPLE_RATE_HZ / common;
		this.#step = rateHz / common;
		const cutoff = Math.min(1, SAMPLE_RATE_HZ / rateHz) * ROLL_OFF;
		this.#half = Math.ceil(CROSSINGS / cutoff);
		this.#taps = makeTaps(this.#phases, this.#half, cutoff);
		this.#pending = new Float32Array(this.#half); // silence before the first sample
	}

	/** Adds samples; returns the complete samples at 16 kHz. */
	push(samples: Float32Array): Float32Array {
		const input = new Float32Array(this.#pending.length + samples.length);
		input.set(this.#pending);
		input.set(samples, this.#pending.length);
		const width = 2 * this.#half;
		const ready = (input.length - width) * this.#phases - this.#at;
		const output = new Float32Array(Math.max(0, Math.ceil(ready / this.#step)));
		for (let index = 0; index < output.length; index++) {
			const first = Math.floor(this.#at / this.#phases);
			const taps = (this.#at % this.#phases) * width;
			let sum = 0;
			for (let tap = 0; tap < width; tap++) {
				sum += (input[first + tap] ?? 0) * (this.#taps[taps + tap] ?? 0);
			}
			output[index] = sum;
			this.#at += this.#step;
		}
		const used = Math.min(Math.floor(this.#at / this.#phases), input.length);
		this.#at -= used * this.#phases;
		this.#pending = input.slice(used);
		return output;
	}

	/** Returns the samples held back, as if silence followed. */
	flush(): Float32Array {
		return this.push(new Float32Array(this.#half));
	}
}

/** Returns the weights for each phase; tap `half` is the input sample at the output sample, or before it. */
function makeTaps(phases: number, half: number, cutoff: number): Float32Array {
	const taps = new Float32Array(phases * 2 * half);
	for (let phase = 0; phase < phases; phase++) {
		const row = taps.subarray(phase * 2 * half, (phase + 1) * 2 * half);
		for (let tap = 0; tap < row.length; tap++) {
			const away = tap - half - phase / phases;
			const x = Math.PI * away * cutoff;
			const sinc = x === 0 ? 1 : Math.sin(x) / x;
			const inside = Math.abs(away) < half ? away / half : 1;
			const window = 0.42 + 0.5 * Math.cos(Math.PI * inside) + 0.08 * Math.cos(2 * Math.PI * inside); // Blackman
			row[tap] = sinc * window;
		}
		const sum = row.reduce((total, weight) => total + weight, 0);
		row.forEach((weight, tap) => (row[tap] = weight / sum)); // equal gain for all phases
	}
	return taps;
}

function greatestCommonDivisor(a: number, b: number): number {
	return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
