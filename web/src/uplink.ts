/** Turns audio of any rate into frames of a session: cut, encoded where possible, always in order. */

import { SAMPLE_RATE_HZ } from './audio-format.js';
import { FrameCutter } from './frames.js';
import type { ClientSession } from './client-session.js';
import { ENCODER_DELAY_SAMPLES, OpusEncoder } from './opus-encoder.js';

/** The audio path of a session. */
export class Uplink {
	readonly #session: ClientSession;
	readonly #onFrames: () => void;
	#cutter = new FrameCutter(SAMPLE_RATE_HZ);
	#rateHz = SAMPLE_RATE_HZ;
	#encoder: OpusEncoder | null = null;

	/**
	 * @param session - Receives the frames; its format decides whether they are encoded.
	 * @param onFrames - Called when there are new frames.
	 */
	constructor(session: ClientSession, onFrames: () => void) {
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

	/** Adds samples from -1 to 1. */
	push(samples: Float32Array, rateHz: number): void {
		if (rateHz !== this.#rateHz) {
			const cutter = new FrameCutter(rateHz);
			this.#take(this.#cutter.finish(0));
			this.#cutter = cutter;
			this.#rateHz = rateHz;
		}
		this.#take(this.#cutter.push(samples));
	}

	/** Flushes all remaining audio, and ends the session's speech. */
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

	/** Continues without the encoder: frames that it has not encoded are sent as samples. */
	#dropEncoder(): void {
		const encoder = this.#encoder;
		this.#encoder = null;
		encoder?.close();
		for (const frame of encoder?.takePending() ?? []) {
			this.#session.append(frame, null);
		}
	}
}
