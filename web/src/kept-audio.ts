/**
 * The audio that a server may still want: sent and not yet safe, or not yet sent. Pure.
 *
 * Frames of 20 ms come in, in their order, each with its Opus packet if there is an encoder. A frame's number is the
 * packet's `seq`, and says where it lies in time. Frames are sent from a place that moves on, and that can be set
 * back after a connection was lost:
 *
 *     forgotten | safe, kept | sent, kept | not yet sent
 *               ^ first      ^ safe       ^ next
 *
 * Some seconds before the safe place are kept, too. A server that has forgotten all hears them before what it has to
 * tell: then its decoder and its voice detector are in the state in which they were.
 */

import { FRAME_SAMPLES, SAMPLE_RATE_HZ } from './audio-format.js';

/** Measured by the server's `bench/live_chaos.py`: after so long a decoder gives the very same samples. */
export const LEAD_IN_SAMPLES = 15 * SAMPLE_RATE_HZ;

/**
 * Samples of frames that have a packet are kept for this long, for a server that asks for PCM. Then the packet alone is
 * kept: an hour of Opus is 14 MB, an hour of samples 115 MB.
 */
export const PCM_KEPT_SAMPLES = 40 * SAMPLE_RATE_HZ;

/** 20 ms of speech. */
export interface Frame {
	readonly seq: number;
	readonly startSample: number;
	/** `null` once the frame is old. */
	readonly pcm: Int16Array | null;
	/** `null` where only samples are sent. */
	readonly packet: Uint8Array | null;
}

/** Frames in their order, each kept until it has been safe for a while. */
export class KeptAudio {
	readonly #frames: Frame[] = [];
	#cut = 0; // how many frames there were in all
	#next = 0; // the frame to send next
	#safeSample = 0;
	#droppedSamples = 0;

	/** Speech that was given up before it was sent, because too much of it waited. */
	get droppedSamples(): number {
		return this.#droppedSamples;
	}

	/** Where the newest frame ends. */
	get endSample(): number {
		return this.#cut * FRAME_SAMPLES;
	}

	/** Where the frame to send next starts. */
	get nextSample(): number {
		return this.#next * FRAME_SAMPLES;
	}

	/** Where the oldest frame that is kept starts; the end if there is none. */
	get firstSample(): number {
		return this.#first * FRAME_SAMPLES;
	}

	/** Nothing before this place has to be heard again; or it is gone. */
	get safeSample(): number {
		return Math.max(this.#safeSample, this.firstSample);
	}

	/** How much speech is kept that is not safe. */
	get keptSamples(): number {
		return this.endSample - this.safeSample;
	}

	/** How much speech waits to be sent. */
	get unsentSamples(): number {
		return (this.#cut - this.#next) * FRAME_SAMPLES;
	}

	/** Takes the next 20 ms; the samples are ours from here on. */
	append(pcm: Int16Array, packet: Uint8Array | null): void {
		this.#frames.push({ seq: this.#cut, startSample: this.endSample, pcm, packet });
		this.#cut++;
		const index = this.#frames.length - PCM_KEPT_SAMPLES / FRAME_SAMPLES - 1;
		const old = this.#frames[index];
		if (old !== undefined && old.packet !== null) {
			this.#frames[index] = { ...old, pcm: null };
		}
	}

	/** Drops frames that can't be sent as samples any more. */
	dropWithoutPcm(): void {
		while (this.#frames[0]?.pcm === null) {
			this.#dropOldest();
		}
	}

	/** Returns the frames to send now, at most so many and only such that start before a place; they count as sent. */
	nextFrames(most: number, beforeSample = Infinity): Frame[] {
		const end = Math.max(
			this.#next,
			Math.min(this.#cut, this.#next + most, Math.ceil(beforeSample / FRAME_SAMPLES)),
		);
		const found = this.#frames.slice(this.#next - this.#first, end - this.#first);
		this.#next = end;
		return found;
	}

	/** Sends again from the frame that holds this sample, or from the oldest that is kept. */
	rewind(sample: number): void {
		this.#next = Math.min(Math.max(Math.floor(sample / FRAME_SAMPLES), this.#first), this.#cut);
	}

	/** Takes note that all before this sample is safe, and lets go of what is so for a while. */
	forget(safeSample: number): void {
		this.#safeSample = Math.max(this.#safeSample, Math.min(safeSample, this.endSample));
		const old = Math.floor((safeSample - LEAD_IN_SAMPLES) / FRAME_SAMPLES) - this.#first;
		if (old > 0) {
			this.#frames.splice(0, old);
		}
		this.#next = Math.max(this.#next, this.#first);
	}

	/** Keeps no more than this: the oldest go first, sent or not. */
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
