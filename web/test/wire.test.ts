import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createPacketFormatData, createPositionedSamples } from '../src/wire.js';

interface Vector {
	readonly name: string;
	readonly with_seq: boolean;
	readonly wire: string;
	readonly packets: readonly { readonly payload: string; readonly seq?: number }[];
	readonly fault: 'length' | 'truncated' | null;
}

// The server's tests read the same file.
const VECTORS = JSON.parse(
	readFileSync(new URL('../../testdata/wire_vectors.json', import.meta.url), 'utf8'),
) as Vector[];

const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

describe('matches the golden vectors', () => {
	test.each(VECTORS.filter(vector => vector.fault === null))('$name', vector => {
		const packets = vector.packets.map(packet => bytes(packet.payload));
		const seq = vector.packets[0]?.seq;
		const options = seq === undefined ? {} : { seq };
		expect(hex(createPacketFormatData(packets, options))).toBe(vector.wire);
	});
});

test('covers vectors with, without and with wrapped numbers', () => {
	const good = VECTORS.filter(vector => vector.fault === null);
	expect(good.some(vector => vector.with_seq)).toBe(true);
	expect(good.some(vector => !vector.with_seq)).toBe(true);
	expect(good.some(vector => vector.packets[0]?.seq === 2 ** 32 - 1)).toBe(true);
});

test.each([0, 4001])('rejects a packet of %i bytes', size => {
	const packets = [new Uint8Array(1), new Uint8Array(size)];
	expect(() => createPacketFormatData(packets)).toThrow(expect.objectContaining({ code: 'bad_parameters' }));
});

test.each([1, 4000])('accepts a packet of %i bytes', size => {
	expect(createPacketFormatData([new Uint8Array(size)]).length).toBe(2 + size);
});

test.each([-1, 0.5, 2 ** 32, NaN])('rejects sequence number %d', seq => {
	expect(() => createPacketFormatData([], { seq })).toThrow(
		expect.objectContaining({ code: 'bad_parameters' }),
	);
});

test("sends only the packet's part of a larger buffer", () => {
	const packet = new Uint8Array([9, 1, 2, 9]).subarray(1, 3);
	expect(hex(createPacketFormatData([packet]))).toBe('02000102');
});

test('sends little-endian samples after their position', () => {
	const data = createPositionedSamples(2 ** 32 + 3, [new Int16Array([1, -2]), new Int16Array([256])]);
	expect(hex(data)).toBe('0300000001000000' + '0100' + 'feff' + '0001');
});
