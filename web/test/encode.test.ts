import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { encodeToPackets } from '../src/encode.js';
import { FakeAudioEncoder, installFakeEncoder } from './fakes/audio-encoder.js';

beforeEach(installFakeEncoder);
afterEach(() => vi.unstubAllGlobals());

const second = { samples: new Float32Array(16_000).fill(5 / 32_768), sampleRate: 16_000 };

test("encodes a second as 50 packets, and one for the encoder's delay", async () => {
	const packets = await encodeToPackets(second);
	expect(packets).toHaveLength(51);
	expect(packets[0]?.[1]).toBe(5);
});

test("limits the encoder's queue", async () => {
	const encoding = encodeToPackets({ samples: new Float32Array(160_000), sampleRate: 16_000 });
	await vi.waitFor(() => expect(FakeAudioEncoder.last.frames).toHaveLength(100));
	const pump = setInterval(() => FakeAudioEncoder.last.release(), 1);
	expect(await encoding).toHaveLength(501);
	clearInterval(pump);
});

test('mixes channels to mono', async () => {
	const audio = {
		length: 320,
		numberOfChannels: 2,
		sampleRate: 16_000,
		getChannelData: (channel: number) => new Float32Array(320).fill((channel === 0 ? 4 : 8) / 32_768),
	};
	const [first] = await encodeToPackets(audio as unknown as AudioBuffer);
	expect(first?.[1]).toBe(6);
});

test('encodes no samples as no packets', async () => {
	expect(await encodeToPackets({ samples: new Float32Array(), sampleRate: 16_000 })).toEqual([]);
});

test('reports a browser without an encoder', async () => {
	vi.stubGlobal('AudioEncoder', undefined);
	await expect(encodeToPackets(second)).rejects.toMatchObject({ code: 'unsupported' });
});

test('rejects an invalid sample rate', async () => {
	await expect(encodeToPackets({ ...second, sampleRate: 1 })).rejects.toMatchObject({
		code: 'bad_parameters',
	});
});

test('reports and closes an encoder with invalid output', async () => {
	const encoding = encodeToPackets({ samples: new Float32Array(160_000), sampleRate: 16_000 });
	await vi.waitFor(() => expect(FakeAudioEncoder.last.frames).toHaveLength(100));
	FakeAudioEncoder.last.emit([0]);
	await expect(encoding).rejects.toMatchObject({ code: 'encoder_failed' });
	expect(FakeAudioEncoder.last.state).toBe('closed');
});
