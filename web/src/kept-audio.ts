/**
 * The audio that a server may still need: sent but not yet safe, or not yet sent. Pure.
 *
 * Frames of 20 ms are added in order, each with its Opus packet if there is an encoder. A frame's number is the packet's
 * `seq`, and gives its position in time. The position of the next frame to send moves forward, and back after a lost
 * connection:
 *
 *     forgotten | safe, kept | sent, kept | not yet sent
 *               ^ first      ^ safe       ^ next
 *
 * Some seconds before the safe position are kept, too. A new session receives them before the audio that it must
 * recognise, so that its decoder and its voice detector reach the state of the old session.
 */

import { FRAME_SAMPLES, SAMPLE_RATE_HZ } from './audio-format.js';

/** Measured with the server's `tests/resilience/live_chaos.py`: after this time a decoder returns identical samples. */
export const LEAD_IN_SAMPLES = 15 * SAMPLE_RATE_HZ;

/**
 * Samples of frames with a packet are kept for this time, for a server that requests PCM. After it only the packet is
 * kept: an hour of Opus is 14 MB, an hour of samples 115 MB.
 */
export const PCM_KEPT_SAMPLES = 40 * SAMPLE_RATE_HZ;

/** 20 ms of speech. */
export interface Frame {
	readonly seq: number;
	readonly startSample: number;
	/** `null` once the frame is old. */
	readonly pcm: Int16Array | null;
	/** `null` if only samples are sent. */
	readonly packet: Uint8Array | null;
}

/** Frames in order, each kept until it has been safe for a while. */
export class KeptAudio {
	readonly #frames: Frame[] = [];
	#cut = 0; // number of all frames added so far
	#next = 0; // the frame to send next
	#safeSample = 0;
	#droppedSamples = 0;

	/** Speech that was dropped before it was sent, because too much was waiting. */
	get droppedSamples(): number {
		return this.#droppedSamples;
	}

	/** End of the newest frame. */
	get endSample(): number {
		return this.#cut * FRAME_SAMPLES;
	}

	/** Start of the next frame to send. */
	get nextSample(): number {
		return this.#next * FRAME_SAMPLES;
	}

	/** Start of the oldest kept frame; the end if there is none. */
	get firstSample(): number {
		return this.#first * FRAME_SAMPLES;
	}

	/** Position before which no audio is needed again, or none is kept. */
	get safeSample(): number {
		return Math.max(this.#safeSample, this.firstSample);
	}

	/** Amount of kept speech that is not safe. */
	get keptSamples(): number {
		return this.endSample - this.safeSample;
	}

	/** Amount of speech that waits to be sent. */
	get unsentSamples(): number {
		return (this.#cut - this.#next) * FRAME_SAMPLES;
	}

	/** Adds 20 ms; the samples must not be changed afterwards. */
	append(pcm: Int16Array, packet: Uint8Array | null): void {
		this.#frames.push({ seq: this.#cut, startSample: this.endSample, pcm, packet });
		this.#cut++;
		const index = this.#frames.length - PCM_KEPT_SAMPLES / FRAME_SAMPLES - 1;
		const old = this.#frames[index];
		if (old !== undefined && old.packet !== null) {
			this.#frames[index] = { ...old, pcm: null };
		}
	}

	/** Drops frames that cannot be sent as samples any more. */
	dropWithoutPcm(): void {
		while (this.#frames[0]?.pcm === null) {
			this.#dropOldest();
		}
	}

	/** Returns the frames to send now, up to a number and only those that start before a position; marks them as sent. */
	nextFrames(most: number, beforeSample = Infinity): Frame[] {
		const end = Math.max(
			this.#next,
			Math.min(this.#cut, this.#next + most, Math.ceil(beforeSample / FRAME_SAMPLES)),
		);
		const frames = this.#frames.slice(this.#next - this.#first, end - this.#first);
		this.#next = end;
		return frames;
	}

	/** Sends again from the frame that contains this sample, or from the oldest kept one. */
	rewind(sample: number): void {
		this.#next = Math.min(Math.max(Math.floor(sample / FRAME_SAMPLES), this.#first), this.#cut);
	}

	/** Marks all audio before this sample as safe, and drops what has been safe for a while. */
	forget(safeSample: number): void {
		this.#safeSample = Math.max(this.#safeSample, Math.min(safeSample, this.endSample));
		const old = Math.floor((safeSample - LEAD_IN_SAMPLES) / FRAME_SAMPLES) - this.#first;
		if (old > 0) {
			this.#frames.splice(0, old);
		}
		this.#next = Math.max(this.#next, this.#first);
	}

	/** Limits the kept audio: the oldest frames are dropped first, sent or not. */
	dropAbove(mostSamples: number): void {
		while (this.keptSamples > mostSamples) {
			this.#dropOldest();
		}
	}

	#dropOldest(): void {
		const frame = this.#frames.shift();
		if (frame !== undefined && frame.seq >= this.#next) {
			this.#droppedSamples += FRAME_SAMPLES;
			this.#next = frame.seq + 1;
		}
	}

	get #first(): number {
		return this.#cut - this.#frames.length;
	}
}
