/** Sound of any rate to frames in a session: cut, encoded if that can be, and never out of order. */

import { SAMPLE_RATE_HZ } from './audio-format.js';
import { FrameCutter } from './frames.js';
import type { LiveSession } from './live-session.js';
import { ENCODER_DELAY_SAMPLES, OpusEncoder } from './opus-encoder.js';

/** What goes up. */
export class Uplink {
	readonly #session: LiveSession;
	readonly #onFrames: () => void;
	#cutter = new FrameCutter(SAMPLE_RATE_HZ);
	#rateHz = SAMPLE_RATE_HZ;
	#encoder: OpusEncoder | null = null;

	/**
	 * @param session - Gets the frames; its format says whether they are encoded.
	 * @param onFrames - Is called when there are new ones.
	 */
	constructor(session: LiveSession, onFrames: () => void) {
		this.#session = session;
		this.#onFrames = onFrames;
		if (session.format === 'opus') {
			this.#encoder = new OpusEncoder(
				(pcm, packet) => {
					session.append(pcm, packet);
					onFrames();
				},
				error => {
					session.switchToPcm(error.message);
					this.#dropEncoder();
					onFrames();
				},
			);
		}
	}

	/** Takes samples from -1 to 1. */
	push(samples: Float32Array, rateHz: number): void {
		if (rateHz !== this.#rateHz) {
			const cutter = new FrameCutter(rateHz);
			this.#take(this.#cutter.finish(0));
			this.#cutter = cutter;
			this.#rateHz = rateHz;
		}
		this.#take(this.#cutter.push(samples));
	}

	/** Lets all out that is still here, and ends the session's speech. */
	async finish(): Promise<void> {
		this.#take(this.#cutter.finish(this.#encoder === null ? 0 : ENCODER_DELAY_SAMPLES));
		await this.#encoder?.flush();
		this.#dropEncoder();
		this.#session.finish();
		this.#onFrames();
	}

	#take(frames: readonly Int16Array<ArrayBuffer>[]): void {
		if (this.#session.format === 'pcm16') {
			this.#dropEncoder();
		}
		for (const frame of frames) {
			if (this.#encoder === null) {
				this.#session.append(frame, null);
			} else {
				this.#encoder.encode(frame);
			}
		}
		if (frames.length > 0) {
			this.#onFrames();
		}
	}

	/** Goes on without it: what it has not encoded is sent as samples. */
	#dropEncoder(): void {
		const encoder = this.#encoder;
		this.#encoder = null;
		encoder?.close();
		for (const frame of encoder?.takePending() ?? []) {
			this.#session.append(frame, null);
		}
	}
}
