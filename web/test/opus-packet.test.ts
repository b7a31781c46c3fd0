import { expect, test } from 'vitest';
import { readPacketHeader } from '../src/opus-packet.js';

const toc = (config: number, stereo: 0 | 1, code: number): number => (config << 3) | (stereo << 2) | code;

// RFC 6716 §3.1, table 2: each row of it, at its first and last length.
test.each([
	[0, 10],
	[3, 60],
	[4, 10],
	[9, 20],
	[11, 60],
	[12, 10],
	[13, 20],
	[14, 10],
	[15, 20],
	[16, 2.5],
	[19, 20],
	[21, 5],
	[31, 20],
])('config %i is %d ms a frame', (config, milliseconds) => {
	expect(readPacketHeader(new Uint8Array([toc(config, 0, 0)]))).toEqual({ channels: 1, milliseconds });
});

test('reads the number of frames of a packet', () => {
	const lengths = [0, 1, 2, 3].map(code => readPacketHeader(new Uint8Array([toc(9, 0, code), 0b11000011])));
	expect(lengths.map(header => header?.milliseconds)).toEqual([20, 40, 40, 60]);
});

test('reads the stereo flag', () => {
	expect(readPacketHeader(new Uint8Array([toc(9, 1, 0)]))?.channels).toBe(2);
});

test('returns null for an empty packet', () => {
	expect(readPacketHeader(new Uint8Array())).toBeNull();
	expect(readPacketHeader(new Uint8Array([toc(9, 0, 3)]))).toBeNull();
});
