import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FRAME_SAMPLES } from '../src/audio-format.js';
import { DEFAULT_RULES } from '../src/backoff.js';
import type { Format } from '../src/conversation.js';
import { ClientSession } from '../src/client-session.js';
import { Uplink } from '../src/uplink.js';
import { FakeAudioEncoder, installFakeEncoder } from './fakes/audio-encoder.js';

beforeEach(installFakeEncoder);
afterEach(() => vi.unstubAllGlobals());

/** A session that notes what it is given. */
class NotingSession extends ClientSession {
	readonly frames: string[] = [];

	constructor(format: Format) {
		super({}, format, DEFAULT_RULES);
	}

	override append(pcm: Int16Array, packet: Uint8Array | null): void {
		this.frames.push(`${pcm[0] ?? ''}${packet === null ? '' : ' encoded'}`);
	}

	override finish(): void {
		this.frames.push('end');
	}
}

function uplink(format: Format) {
	const session = new NotingSession(format);
	const onFrames = vi.fn();
	return { session, up: new Uplink(session, onFrames), onFrames };
}

const sound = (value: number, frames = 1): Float32Array =>
	new Float32Array(frames * FRAME_SAMPLES).fill(value / 32_768);

test('encodes frames, and ends after the last packet', async () => {
	const { session, up, onFrames } = uplink('opus');
	up.push(sound(1), 16_000);
	up.push(sound(2), 16_000);
	FakeAudioEncoder.last.release(1);
	expect(session.frames).toEqual(['1 encoded']);
	onFrames.mockClear();
	await up.finish();
	expect(session.frames).toEqual(['1 encoded', '2 encoded', '0 encoded', 'end']); // silence brings the last out
	expect(onFrames).toHaveBeenCalled();
});

test('sends samples unencoded in PCM', async () => {
	const { session, up } = uplink('pcm16');
	up.push(sound(1), 16_000);
	expect(session.frames).toEqual(['1']);
	await up.finish();
	expect(session.frames).toEqual(['1', 'end']);
});

test('loses nothing if the encoder breaks', async () => {
	const { session, up } = uplink('opus');
	up.push(sound(1), 16_000);
	up.push(sound(2, 2), 16_000);
	FakeAudioEncoder.last.release(1);
	FakeAudioEncoder.last.init.error(new DOMException('gone'));
	up.push(sound(3), 16_000);
	await up.finish();
	expect(session.frames).toEqual(['1 encoded', '2', '2', '3', 'end']);
	expect(session.format).toBe('pcm16');
});

test('loses nothing if the encoder breaks at the end', async () => {
	const { session, up } = uplink('opus');
	up.push(sound(1), 16_000);
	FakeAudioEncoder.last.flush = () => Promise.reject(new DOMException('gone'));
	await up.finish();
	expect(session.frames).toEqual(['1', '0', 'end']);
});

test('sends frames that wait for the encoder first when switching to PCM', () => {
	const { session, up } = uplink('opus');
	up.push(sound(1), 16_000);
	session.switchToPcm('asked');
	up.push(sound(2), 16_000);
	expect(session.frames).toEqual(['1', '2']);
});

test('continues after a change of the sample rate', () => {
	const { session, up } = uplink('pcm16');
	up.push(sound(1).subarray(0, 100), 16_000);
	up.push(new Float32Array(4800).fill(0.5), 48_000);
	expect(session.frames[0]).toBe('1');
	expect(session.frames.length).toBeGreaterThan(3);
});

test('ignores an invalid sample rate', () => {
	const { session, up } = uplink('pcm16');
	expect(() => up.push(sound(1), 0)).toThrow(expect.objectContaining({ code: 'bad_parameters' }));
	up.push(sound(2), 16_000);
	expect(session.frames).toEqual(['2']);
});
