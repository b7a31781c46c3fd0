/** Reads the header of an Opus packet. Pure. RFC 6716 §3.1. */

/** Contents of a packet's TOC byte. */
export interface PacketHeader {
	readonly channels: 1 | 2;
	readonly milliseconds: number;
}

/** Frame lengths of the three modes, by the low bits of `config`. */
const SILK_MILLISECONDS = [10, 20, 40, 60];
const HYBRID_MILLISECONDS = [10, 20];
const CELT_MILLISECONDS = [2.5, 5, 10, 20];

/** Reads the header; `null` if the packet is too short to have one. */
export function readPacketHeader(packet: Uint8Array): PacketHeader | null {
	const [toc, second] = packet;
	if (toc === undefined) {
		return null;
	}
	const config = toc >> 3;
	const lengths = config < 12 ? SILK_MILLISECONDS : config < 16 ? HYBRID_MILLISECONDS : CELT_MILLISECONDS;
	const length = lengths[config % lengths.length];
	const code = toc & 3; // 0: one frame; 1, 2: two; 3: the next byte has the number
	const frames = code === 3 ? (second === undefined ? undefined : second & 63) : code === 0 ? 1 : 2;
	if (length === undefined || frames === undefined) {
		return null;
	}
	return { channels: toc & 4 ? 2 : 1, milliseconds: frames * length };
}
