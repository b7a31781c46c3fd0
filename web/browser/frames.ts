/** Reads the audio out of what a browser sends over a WebSocket (RFC 6455 §5.2). */

const BINARY = 2;
const TEXT = 1;
const MASK_BYTES = 4;
const POSITION_BYTES = 8;

/** The audio in one message. */
export interface Audio {
	/** The numbers of its packets. */
	readonly packets: readonly number[];
	readonly pcmSamples: number;
}

/** Takes bytes as they come; a browser sends each message as one masked frame. */
export class ClientFrames {
	#rest: Buffer = Buffer.alloc(0);
	#isPcm = false;

	/** Returns the audio of the messages that are whole now. */
	take(data: Buffer): Audio[] {
		this.#rest = Buffer.concat([this.#rest, data]);
		const found: Audio[] = [];
		for (let frame = this.#next(); frame !== null; frame = this.#next()) {
			if (frame.opcode === TEXT) {
				this.#note(frame.payload);
			} else if (frame.opcode === BINARY) {
				found.push(this.#isPcm ? pcm(frame.payload) : opus(frame.payload));
			}
		}
		return found;
	}

	#note(payload: Buffer): void {
		const { format } = JSON.parse(payload.toString()) as { format?: string };
		this.#isPcm ||= format === 'pcm16';
	}

	#next(): { opcode: number; payload: Buffer } | null {
		const bytes = this.#rest;
		if (bytes.length < 2) return null;
		const short = bytes.readUInt8(1) & 127;
		const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
		const start = 2 + lengthBytes + MASK_BYTES;
		if (bytes.length < start) return null;
		const length =
			short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
		if (bytes.length < start + length) return null;
		const mask = bytes.subarray(start - MASK_BYTES, start);
		const payload = Buffer.from(bytes.subarray(start, start + length));
		payload.forEach((byte, at) => (payload[at] = byte ^ (mask[at % MASK_BYTES] ?? 0)));
		this.#rest = bytes.subarray(start + length);
		return { opcode: bytes.readUInt8(0) & 15, payload };
	}
}

function pcm(payload: Buffer): Audio {
	return { packets: [], pcmSamples: (payload.length - POSITION_BYTES) / 2 };
}

function opus(payload: Buffer): Audio {
	const packets: number[] = [];
	for (let at = 0; at < payload.length;) {
		at += 2 + payload.readUInt16LE(at);
		packets.push(payload.readUInt32LE(at));
		at += 4;
	}
	return { packets, pcmSamples: 0 };
}
