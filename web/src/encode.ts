/** Encodes whole recordings to Opus packets, for `/utterance` and for applications with another transport. */

import { AuricleError } from './errors.js';
import { FrameCutter } from './frames.js';
import { ENCODER_DELAY_SAMPLES, OpusEncoder } from './opus-encoder.js';

/** Audio in memory: an `AudioBuffer`, or one channel of samples from -1 to 1 and their rate. */
export type Audio = AudioBuffer | MonoAudio;

/** One channel of audio. */
export interface MonoAudio {
	readonly samples: Float32Array;
	readonly sampleRate: number;
}

/** Number of frames between waits for the encoder. */
const BATCH_FRAMES = 100;

/**
 * Encodes a recording to Opus packets: 16 kHz, mono, 20 ms each. Mixes channels and resamples.
 *
 * ```ts
 * const data = createPacketFormatData(await encodeToPackets(audio));
 * await fetch('/utterance?audio_format=opus', { method: 'POST', body: data, headers });
 * ```
 *
 * @throws {@link AuricleError} `unsupported`: this browser has no Opus encoder. `bad_parameters`: the rate is not
 *   supported. `encoder_failed`: the encoder's output is invalid.
 */
export async function encodeToPackets(audio: Audio): Promise<Uint8Array[]> {
	const { samples, sampleRate } = 'samples' in audio ? audio : mixed(audio);
	const cutter = new FrameCutter(sampleRate);
	if (!(await OpusEncoder.isSupported())) {
		throw new AuricleError('unsupported', 'This browser has no Opus encoder.');
	}
	if (samples.length === 0) {
		return [];
	}
	const packets: Uint8Array[] = [];
	let failure: AuricleError | null = null;
	const encoder = new OpusEncoder(
		(_, packet) => packets.push(packet),
		error => (failure = error),
	);
	const check = (): void => {
		if (failure !== null) throw failure;
	};
	try {
		const frames = [...cutter.push(samples), ...cutter.finish(ENCODER_DELAY_SAMPLES)];
		for (const frame of frames) {
			while (encoder.pendingFrames >= BATCH_FRAMES) {
				await new Promise(resolve => setTimeout(resolve));
				check();
			}
			encoder.encode(frame);
			check();
		}
		await encoder.flush();
		check();
	} finally {
		encoder.close();
	}
	return packets;
}

function mixed(audio: AudioBuffer): MonoAudio {
	const samples = new Float32Array(audio.length);
	for (let channel = 0; channel < audio.numberOfChannels; channel++) {
		const part = audio.getChannelData(channel);
		for (let at = 0; at < samples.length; at++) {
			samples[at] = (samples[at] ?? 0) + (part[at] ?? 0) / audio.numberOfChannels;
		}
	}
	return { samples, sampleRate: audio.sampleRate };
}
