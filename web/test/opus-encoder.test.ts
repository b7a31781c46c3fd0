import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FRAME_SAMPLES } from '../src/audio-format.js';
import type { AuricleError } from '../src/errors.js';
import { OpusEncoder } from '../src/opus-encoder.js';
import { FakeAudioEncoder, GOOD_TOC, installFakeEncoder } from './fakes/audio-encoder.js';

beforeEach(installFakeEncoder);
afterEach(() => vi.unstubAllGlobals());

const frame = (value: number): Int16Array<ArrayBuffer> => new Int16Array(FRAME_SAMPLES).fill(value);

function encoding() {
	const packets: [number | undefined, number | undefined][] = [];
	const failures: AuricleError[] = [];
	const encoder = new OpusEncoder(
		(pcm, packet) => packets.push([pcm[0], packet[1]]),
		error => failures.push(error),
	);
	return { encoder, packets, failures, browser: FakeAudioEncoder.last };
}

test('returns each frame with its packet, in order', () => {
	const { encoder, packets, browser } = encoding();
	encoder.encode(frame(1));
	encoder.encode(frame(2));
	expect(encoder.pendingFrames).toBe(2);
	browser.release(1);
	encoder.encode(frame(3));
	browser.release();
	expect(packets).toEqual([
		[1, 1],
		[2, 2],
		[3, 3],
	]);
	expect(encoder.pendingFrames).toBe(0);
});

test('gives frames contiguous timestamps', () => {
	const { encoder, browser } = encoding();
	encoder.encode(frame(1));
	encoder.encode(frame(2));
	expect(browser.frames.map(({ timestamp }) => timestamp)).toEqual([0, 20_000]);
});

test.each([0, 160, 321, 960])('rejects a frame of %i samples', samples => {
	expect(() => encoding().encoder.encode(new Int16Array(samples))).toThrow(
		expect.objectContaining({ code: 'bad_parameters' }),
	);
});

describe('reports a broken encoder once and returns its frames', () => {
	test.each<[string, (browser: FakeAudioEncoder) => void]>([
		['by its own word', browser => browser.init.error(new DOMException('gone'))],
		['with packets of 40 ms', browser => browser.emit([GOOD_TOC | 1])],
		['with packets of 10 ms', browser => browser.emit([8 << 3])],
		['with stereo', browser => browser.emit([GOOD_TOC | 4])],
		['with nothing', browser => browser.emit([])],
		['with packets that are too long', browser => browser.emit([GOOD_TOC, ...Array<number>(4000).fill(0)])],
	])('%s', (_, breakIt) => {
		const { encoder, packets, failures, browser } = encoding();
		encoder.encode(frame(1));
		encoder.encode(frame(2));
		breakIt(browser);
		breakIt(browser);
		browser.release();
		expect(failures.map(({ code }) => code)).toEqual(['encoder_failed']);
		expect(packets).toEqual([]);
		expect(encoder.takePending().map(([first]) => first)).toEqual([1, 2]);
		expect(encoder.takePending()).toEqual([]);
		expect(browser.state).toBe('closed');
	});

	test('if it rejects a frame', () => {
		const { encoder, failures, browser } = encoding();
		browser.check = () => {
			throw new Error('full');
		};
		encoder.encode(frame(1));
		expect(failures).toHaveLength(1);
		expect(encoder.takePending()).toHaveLength(1);
	});

	test('if it is 5 s behind', () => {
		const { encoder, failures } = encoding();
		for (let index = 0; index < 250; index++) {
			encoder.encode(frame(index));
		}
		expect(failures).toEqual([]);
		encoder.encode(frame(250));
		expect(failures).toHaveLength(1);
		expect(encoder.takePending()).toHaveLength(251);
	});

	test('if packets are missing', async () => {
		const { encoder, failures, browser } = encoding();
		encoder.encode(frame(1));
		browser.frames.pop();
		await encoder.flush();
		expect(failures).toHaveLength(1);
	});
});

test('ignores a surplus packet at the end', async () => {
	const { encoder, packets, failures, browser } = encoding();
	encoder.encode(frame(1));
	await encoder.flush();
	browser.emit([GOOD_TOC, 9]);
	expect(packets).toEqual([[1, 1]]);
	expect(failures).toEqual([]);
});

describe('isSupported', () => {
	test('is true if the browser confirms the exact configuration', async () => {
		expect(await OpusEncoder.isSupported()).toBe(true);
	});

	test.each<[string, (config: AudioEncoderConfig) => AudioEncoderSupport]>([
		['does not', config => ({ supported: false, config })],
		['takes another rate', config => ({ supported: true, config: { ...config, sampleRate: 48_000 } })],
		['takes stereo', config => ({ supported: true, config: { ...config, numberOfChannels: 2 } })],
		[
			'knows no frame length',
			({ codec }) => ({ supported: true, config: { codec, sampleRate: 16_000, numberOfChannels: 1 } }),
		],
		[
			'takes another frame length',
			config => ({ supported: true, config: { ...config, opus: { frameDuration: 60_000 } } }),
		],
	])('is false if the browser %s', async (_, answer) => {
		FakeAudioEncoder.support = config => Promise.resolve(answer(config));
		expect(await OpusEncoder.isSupported()).toBe(false);
	});

	test('is false if the query fails', async () => {
		FakeAudioEncoder.support = () => Promise.reject(new TypeError('opus?'));
		expect(await OpusEncoder.isSupported()).toBe(false);
	});

	test('is false without an encoder', async () => {
		vi.stubGlobal('AudioEncoder', undefined);
		expect(await OpusEncoder.isSupported()).toBe(false);
	});
});
