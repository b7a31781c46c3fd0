/**
 * Wire formats for audio: framed Opus packets and positioned samples. Pure.
 *
 * A packet is `[uint16_le length][packet]`, repeated; numbered ones have a `[uint32_le seq]` after each length.
 * `testdata/wire_vectors.json` tests this for the server and the client. Samples are sent as
 * `[uint64_le position][int16_le …]`.
 */

import { AuricleError } from './errors.js';

const LENGTH_BYTES = 2;
const SEQ_BYTES = 4;
const POSITION_BYTES = 8;

/** The server's maximum; 20 ms of speech need some 50 bytes. */
export const MAX_PACKET_BYTES = 4000;

/** Options of the framing. */
export interface FormatOptions {
	/** The first packet's number, 0 to 2^32 - 1; it increases by one for each packet and wraps to 0. */
	readonly seq?: number;
}

/**
 * Frames Opus packets for the server: `format=opus` on `/v1/stream`, or `"audio_format": "opus"` on `/utterance`.
 *
 * @param packets - Raw Opus packets in order, 1 to 4000 bytes each.
 * @param options - With a `seq` the packets are numbered, as `seq=1` requires.
 * @throws {@link AuricleError} `bad_parameters`: a packet is empty or too long, or the number is invalid.
 */
export function createPacketFormatData(
	packets: readonly Uint8Array[],
	options: FormatOptions = {},
): Uint8Array<ArrayBuffer> {
	const { seq } = options;
	if (seq !== undefined && (!Number.isInteger(seq) || seq < 0 || seq >= 2 ** 32)) {
		throw new AuricleError('bad_parameters', `seq must be a whole number from 0 to 2^32 - 1, not ${seq}.`);
	}
	for (const packet of packets) {
		checkLength(packet.byteLength);
	}
	const headBytes = LENGTH_BYTES + (seq === undefined ? 0 : SEQ_BYTES);
	const size = packets.reduce((sum, packet) => sum + headBytes + packet.byteLength, 0);
	const data = new Uint8Array(size);
	const view = new DataView(data.buffer);
	let at = 0;
	packets.forEach((packet, index) => {
		view.setUint16(at, packet.byteLength, true);
		data.set(packet, at + LENGTH_BYTES);
		at += LENGTH_BYTES + packet.byteLength;
		if (seq !== undefined) {
			view.setUint32(at, (seq + index) % 2 ** 32, true);
			at += SEQ_BYTES;
		}
	});
	return data;
}

/** Returns samples with the position of the first one; the server uses it to detect repeated PCM. */
export function createPositionedSamples(
	position: number,
	pieces: readonly Int16Array[],
): Uint8Array<ArrayBuffer> {
	const samples = pieces.reduce((sum, piece) => sum + piece.length, 0);
	const data = new Uint8Array(POSITION_BYTES + samples * Int16Array.BYTES_PER_ELEMENT);
	const view = new DataView(data.buffer);
	view.setBigUint64(0, BigInt(position), true);
	let at = POSITION_BYTES;
	for (const piece of pieces) {
		for (const sample of piece) {
			view.setInt16(at, sample, true); // a copy of the bytes would have the machine's byte order
			at += Int16Array.BYTES_PER_ELEMENT;
		}
	}
	return data;
}

function checkLength(bytes: number): void {
	if (bytes < 1 || bytes > MAX_PACKET_BYTES) {
		throw new AuricleError(
			'bad_parameters',
			`An Opus packet must have 1 to ${MAX_PACKET_BYTES} bytes, not ${bytes}.`,
		);
	}
}
