import { afterEach, expect, test, vi } from 'vitest';
import { microphoneError, openMicrophone } from '../src/microphone.js';

afterEach(() => vi.unstubAllGlobals());

test.each([
	['NotAllowedError', 'microphone_denied'],
	['SecurityError', 'microphone_denied'],
	['NotFoundError', 'no_microphone'],
	['OverconstrainedError', 'no_microphone'],
	['NotReadableError', 'microphone_busy'],
	['AbortError', 'microphone_busy'],
	['TypeError', 'unsupported'],
])('reports %s as %s', (name, code) => {
	const error = microphoneError(new DOMException('words of the browser', name));
	expect(error.code).toBe(code);
	expect(error.message).toMatch(/^(The|This|No) /);
});

test('explains the missing microphone on a page without HTTPS', async () => {
	vi.stubGlobal('navigator', {});
	await expect(openMicrophone()).rejects.toMatchObject({ code: 'unsupported' });
});

test('constrains the device only if one is chosen, and never the rate', async () => {
	const getUserMedia = vi.fn(() => Promise.resolve({}));
	vi.stubGlobal('navigator', { mediaDevices: { getUserMedia } });
	await openMicrophone();
	await openMicrophone({ deviceId: 'x' });
	expect(getUserMedia.mock.calls).toEqual([[{ audio: true }], [{ audio: { deviceId: { exact: 'x' } } }]]);
});
