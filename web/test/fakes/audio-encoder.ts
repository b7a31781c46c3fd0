/** A browser's encoder that does as it is told: each frame becomes a packet, when the test says so. */

import { vi } from 'vitest';

/** 20 ms, mono, one frame: what a packet says of itself in its first byte. */
export const GOOD_TOC = (9 << 3) | 0;

/** A frame on its way. */
export class FakeAudioData {
	readonly timestamp: number;
	readonly data: Int16Array;

	constructor(init: AudioDataInit) {
		this.timestamp = init.timestamp;
		this.data = init.data as Int16Array;
	}

	/** Does nothing. */
	close(): void {
		// There is nothing to let go of.
	}
}

/** See above. */
export class FakeAudioEncoder {
	/** The newest one. */
	static last: FakeAudioEncoder;
	/** What is said of a config; by default that it is supported. */
	static support: (config: AudioEncoderConfig) => Promise<AudioEncoderSupport>;

	state = 'configured';
	/** What the next packets are; by default the TOC and the frame's first sample. */
	makePacket = (frame: FakeAudioData): number[] => [GOOD_TOC, (frame.data[0] ?? 0) & 255];
	/** Throws if a frame is not to be taken. */
	check = (): void => undefined;
	readonly frames: FakeAudioData[] = [];
	readonly init: AudioEncoderInit;

	constructor(init: AudioEncoderInit) {
		this.init = init;
		FakeAudioEncoder.last = this;
	}

	static isConfigSupported(config: AudioEncoderConfig): Promise<AudioEncoderSupport> {
		return FakeAudioEncoder.support(config);
	}

	configure(): void {
		// It takes all.
	}

	encode(frame: FakeAudioData): void {
		this.check();
		this.frames.push(frame);
	}

	/** Lets so many packets out. */
	release(number = Infinity): void {
		for (const frame of this.frames.splice(0, number)) {
			this.emit(this.makePacket(frame));
		}
	}

	/** Lets a packet out. */
	emit(bytes: readonly number[]): void {
		const chunk = {
			byteLength: bytes.length,
			copyTo: (target: Uint8Array) => target.set(bytes),
		};
		this.init.output(chunk as unknown as EncodedAudioChunk);
	}

	flush(): Promise<void> {
		this.release();
		return Promise.resolve();
	}

	close(): void {
		this.state = 'closed';
	}
}

/** Puts it in the place of the browser's. */
export function installFakeEncoder(): void {
	FakeAudioEncoder.support = config => Promise.resolve({ supported: true, config });
	vi.stubGlobal('AudioEncoder', FakeAudioEncoder);
	vi.stubGlobal('AudioData', FakeAudioData);
}
