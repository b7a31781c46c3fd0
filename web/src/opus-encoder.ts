/**
 * Frames of 20 ms to Opus packets, one for one and in order, by the browser's own encoder (WebCodecs).
 *
 * Nothing is taken on trust: a frame of another length is refused, and so is a packet that does not say of itself that
 * it is 20 ms of mono. DTX stays off: it leaves packets out without a trace, and time would shrink.
 */

import { FRAME_MILLISECONDS, FRAME_SAMPLES, SAMPLE_RATE_HZ } from './audio-format.js';
import { AuricleError } from './errors.js';
import { readPacketHeader } from './opus-packet.js';
import { MAX_PACKET_BYTES } from './wire.js';

const MICROSECONDS_A_MILLISECOND = 1000;

/** An encoder that is further behind has no chance: 5 s. */
const MAX_PENDING_FRAMES = 250;

/** The encoder gives speech back 6.5 ms late, so that much more silence has to follow the last of it. */
export const ENCODER_DELAY_SAMPLES = Math.ceil((SAMPLE_RATE_HZ * 6.5) / 1000);

/** 32 kbit/s, 20 ms a packet: what Auricle's own clients send. */
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

/** Gets each frame back with its packet, in order. */
export type PacketSink = (pcm: Int16Array, packet: Uint8Array) => void;

/** An encoder at work. */
export class OpusEncoder {
	readonly #encoder: AudioEncoder;
	readonly #sink: PacketSink;
	readonly #onFailure: (error: AuricleError) => void;
	readonly #pending: Int16Array[] = [];
	#frames = 0;
	#isBroken = false;

	/** Returns whether this browser encodes what we want, just so. */
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
			return false; // a browser that knows WebCodecs, but not this field
		}
	}

	/**
	 * @param sink - Gets the packets.
	 * @param onFailure - Is called once, if the encoder breaks; {@link takePending} then has what it owes.
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

	/** How many frames are on their way. */
	get pendingFrames(): number {
		return this.#pending.length;
	}

	/** Takes a frame; its packet comes later. */
	encode(frame: Int16Array<ArrayBuffer>): void {
		if (frame.length !== FRAME_SAMPLES) {
			throw new AuricleError(
				'bad_parameters',
				`A frame has ${FRAME_SAMPLES} samples (20 ms at 16 kHz, mono), not ${frame.length}.`,
			);
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

	/** Resolves when every frame has its packet, or the encoder is broken. */
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

	/** Returns the frames that have no packet, and forgets them. */
	takePending(): Int16Array[] {
		return this.#pending.splice(0);
	}

	/** Lets go of the browser's encoder; what is on its way is lost. */
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
			this.#sink(frame, packet); // a packet too many, of a flush, is silence
		}
	}

	#fail(reason: string): void {
		if (!this.#isBroken) {
			this.close();
			this.#onFailure(new AuricleError('encoder_failed', `This browser's Opus encoder failed: ${reason}.`));
		}
	}
}
