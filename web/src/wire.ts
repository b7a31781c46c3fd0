/**
 * Framed Opus packets and positioned samples: how audio travels. Pure.
 *
 * A packet is `[uint16_le length][packet]`, again and again; numbered ones have a `[uint32_le seq]` after each.
 * `testdata/wire_vectors.json` pins this for the server and for us. Samples travel as
 * `[uint64_le position][int16_le …]`.
 */

import { AuricleError } from './errors.js';

const LENGTH_BYTES = 2;
const SEQ_BYTES = 4;
const POSITION_BYTES = 8;

/** The most that the server takes; 20 ms of speech need some 50 bytes. */
export const MAX_PACKET_BYTES = 4000;

/** How packets are framed. */
export interface FormatOptions {
	/** The first packet's number, 0 to 2^32 - 1; each further one has the next, and 0 follows the last. */
	readonly seq?: number;
}

/**
 * Frames Opus packets for the server: `format=opus` on `/v1/stream`, or `"audio_format": "opus"` on `/utterance`.
 *
 * @param packets - Raw Opus packets in their order, of 1 to 4000 bytes each.
 * @param options - With a `seq` the packets are numbered, as `seq=1` wants it.
 * @throws {@link AuricleError} `bad_parameters`: a packet is empty or too long, or the number is none.
 */
export function createPacketFormatData(
	packets: readonly Uint8Array[],
	options: FormatOptions = {},
): Uint8Array<ArrayBuffer> {
	const { seq } = options;
	if (seq !== undefined && (!Number.isInteger(seq) || seq < 0 || seq >= 2 ** 32)) {
		throw new AuricleError('bad_parameters', `A seq is a whole number from 0 to 2^32 - 1, not ${seq}.`);
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

/** Returns samples with the place of their first one, as the server wants PCM that it may get twice. */
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
			view.setInt16(at, sample, true); // not a copy of the bytes: they would be in the machine's own order
			at += Int16Array.BYTES_PER_ELEMENT;
		}
	}
	return data;
}

function checkLength(bytes: number): void {
	if (bytes < 1 || bytes > MAX_PACKET_BYTES) {
		throw new AuricleError(
			'bad_parameters',
			`An Opus packet has 1 to ${MAX_PACKET_BYTES} bytes here, not ${bytes}.`,
		);
	}
}
