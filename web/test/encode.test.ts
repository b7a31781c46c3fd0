import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { encodeToPackets } from '../src/encode.js';
import { FakeAudioEncoder, installFakeEncoder } from './fakes/audio-encoder.js';

beforeEach(installFakeEncoder);
afterEach(() => vi.unstubAllGlobals());

const second = { samples: new Float32Array(16_000).fill(5 / 32_768), sampleRate: 16_000 };

test('a second is 50 packets, and one more for the end of the sound', async () => {
	const packets = await encodeToPackets(second);
	expect(packets).toHaveLength(51);
	expect(packets[0]?.[1]).toBe(5);
});

test('the encoder gets no more at once than it can hold', async () => {
	const encoding = encodeToPackets({ samples: new Float32Array(160_000), sampleRate: 16_000 });
	await vi.waitFor(() => expect(FakeAudioEncoder.last.frames).toHaveLength(100));
	const pump = setInterval(() => FakeAudioEncoder.last.release(), 1);
	expect(await encoding).toHaveLength(501);
	clearInterval(pump);
});

test('channels are mixed', async () => {
	const audio = {
		length: 320,
		numberOfChannels: 2,
		sampleRate: 16_000,
		getChannelData: (channel: number) => new Float32Array(320).fill((channel === 0 ? 4 : 8) / 32_768),
	};
	const [first] = await encodeToPackets(audio as unknown as AudioBuffer);
	expect(first?.[1]).toBe(6);
});

test('nothing is no packets', async () => {
	expect(await encodeToPackets({ samples: new Float32Array(), sampleRate: 16_000 })).toEqual([]);
});

test('a browser without an encoder says so', async () => {
	vi.stubGlobal('AudioEncoder', undefined);
	await expect(encodeToPackets(second)).rejects.toMatchObject({ code: 'unsupported' });
});

test('a rate that is none is refused', async () => {
	await expect(encodeToPackets({ ...second, sampleRate: 1 })).rejects.toMatchObject({
		code: 'bad_parameters',
	});
});

test('an encoder that makes something else is told, and let go', async () => {
	const encoding = encodeToPackets({ samples: new Float32Array(160_000), sampleRate: 16_000 });
	await vi.waitFor(() => expect(FakeAudioEncoder.last.frames).toHaveLength(100));
	FakeAudioEncoder.last.emit([0]);
	await expect(encoding).rejects.toMatchObject({ code: 'encoder_failed' });
	expect(FakeAudioEncoder.last.state).toBe('closed');
});
