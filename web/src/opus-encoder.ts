/**
 * Encodes frames of 20 ms to Opus packets, one for one and in order, with the browser's encoder (WebCodecs).
 *
 * The output is checked: frames of another length are rejected, and so are packets whose header does not say 20 ms of
 * mono. DTX stays off: it omits packets without a trace, which would shorten the time.
 */

import { FRAME_MILLISECONDS, FRAME_SAMPLES, SAMPLE_RATE_HZ } from './audio-format.js';
import { AuricleError } from './errors.js';
import { readPacketHeader } from './opus-packet.js';
import { MAX_PACKET_BYTES } from './wire.js';

const MICROSECONDS_A_MILLISECOND = 1000;

/** Maximum number of frames in the encoder: 5 s. A slower encoder cannot keep up. */
const MAX_PENDING_FRAMES = 250;

/** The encoder delays speech by 6.5 ms, so at least this much silence must follow the last of it. */
export const ENCODER_DELAY_SAMPLES = Math.ceil((SAMPLE_RATE_HZ * 6.5) / 1000);

/** 32 kbit/s, packets of 20 ms: same as Auricle's other clients. */
export const ENCODER_CONFIG = {
	codec: 'opus',
	sampleRate: SAMPLE_RATE_HZ,
	numberOfChannels: 1,
	bitrate: 32_000,
	opus: {
		format: 'opus',
		frameDuration: FRAME_MILLISECONDS * MICROSECONDS_A_MILLISECOND,
		application: 'voip',
		signal: 'voice',
		complexity: 5,
		usedtx: false,
	},
} as const satisfies AudioEncoderConfig & {
	readonly opus: { readonly application: string; readonly signal: string };
};

/** Receives each frame with its packet, in order. */
export type PacketSink = (pcm: Int16Array, packet: Uint8Array) => void;

/** A running encoder. */
export class OpusEncoder {
	readonly #encoder: AudioEncoder;
	readonly #sink: PacketSink;
	readonly #onFailure: (error: AuricleError) => void;
	readonly #pending: Int16Array[] = [];
	#frames = 0;
	#isBroken = false;

	/** Returns whether this browser supports exactly this configuration. */
	static async isSupported(): Promise<boolean> {
		if (typeof AudioEncoder === 'undefined' || typeof AudioData === 'undefined') {
			return false;
		}
		try {
			const { supported, config } = await AudioEncoder.isConfigSupported(ENCODER_CONFIG);
			return (
				supported === true &&
				config?.sampleRate === SAMPLE_RATE_HZ &&
				config.numberOfChannels === 1 &&
				config.opus?.frameDuration === ENCODER_CONFIG.opus.frameDuration
			);
		} catch {
			return false; // the browser supports WebCodecs, but not this field
		}
	}

	/**
	 * @param sink - Receives the packets.
	 * @param onFailure - Called once, if the encoder fails; {@link takePending} then returns its missing frames.
	 */
	constructor(sink: PacketSink, onFailure: (error: AuricleError) => void) {
		this.#sink = sink;
		this.#onFailure = onFailure;
		this.#encoder = new AudioEncoder({
			output: chunk => this.#take(chunk),
			error: error => this.#fail(error.message),
		});
		this.#encoder.configure(ENCODER_CONFIG);
	}

	/** Number of frames in the encoder. */
	get pendingFrames(): number {
		return this.#pending.length;
	}

	/** Encodes a frame; its packet follows later. */
	encode(frame: Int16Array<ArrayBuffer>): void {
		if (frame.length !== FRAME_SAMPLES) {
			throw new AuricleError('bad_parameters', `A frame has ${FRAME_SAMPLES} samples, not ${frame.length}.`);
		}
		this.#pending.push(frame);
		if (this.#isBroken) {
			return;
		}
		if (this.#pending.length > MAX_PENDING_FRAMES) {
			this.#fail('it is too slow');
			return;
		}
		try {
			const audio = new AudioData({
				format: 's16',
				sampleRate: SAMPLE_RATE_HZ,
				numberOfChannels: 1,
				numberOfFrames: FRAME_SAMPLES,
				timestamp: this.#frames++ * FRAME_MILLISECONDS * MICROSECONDS_A_MILLISECOND,
				data: frame,
			});
			this.#encoder.encode(audio);
			audio.close();
		} catch (error) {
			this.#fail(String(error));
		}
	}

	/** Resolves when every frame has its packet, or the encoder has failed. */
	async flush(): Promise<void> {
		try {
			await this.#encoder.flush();
		} catch (error) {
			this.#fail(String(error));
		}
		if (this.#pending.length > 0) {
			this.#fail(`it left out ${this.#pending.length} packets`);
		}
	}

	/** Returns the frames without a packet, and removes them. */
	takePending(): Int16Array[] {
		return this.#pending.splice(0);
	}

	/** Closes the browser's encoder; frames in it are lost. */
	close(): void {
		this.#isBroken = true;
		if (this.#encoder.state !== 'closed') {
			this.#encoder.close();
		}
	}

	#take(chunk: EncodedAudioChunk): void {
		if (this.#isBroken) {
			return;
		}
		const packet = new Uint8Array(chunk.byteLength);
		chunk.copyTo(packet);
		const header = readPacketHeader(packet);
		if (packet.length > MAX_PACKET_BYTES || header?.milliseconds !== FRAME_MILLISECONDS) {
			this.#fail(`its packets are not ${FRAME_MILLISECONDS} ms long`);
			return;
		}
		if (header.channels !== 1) {
			this.#fail('its packets are not mono');
			return;
		}
		const frame = this.#pending.shift();
		if (frame !== undefined) {
			this.#sink(frame, packet); // an extra packet after a flush is silence
		}
	}

	#fail(reason: string): void {
		if (!this.#isBroken) {
			this.close();
			this.#onFailure(new AuricleError('encoder_failed', `This browser's Opus encoder failed: ${reason}.`));
		}
	}
}
