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
])('%s of the browser is %s', (name, code) => {
	const error = microphoneError(new DOMException('words of the browser', name));
	expect(error.code).toBe(code);
	expect(error.message).toMatch(/^(The|This|No) /);
});

test('a page of plain http is told why it gets none', async () => {
	vi.stubGlobal('navigator', {});
	await expect(openMicrophone()).rejects.toMatchObject({ code: 'unsupported' });
});

test('no rate is ever asked for, and a device only if it was chosen', async () => {
	const getUserMedia = vi.fn(() => Promise.resolve({}));
	vi.stubGlobal('navigator', { mediaDevices: { getUserMedia } });
	await openMicrophone();
	await openMicrophone({ deviceId: 'x' });
	expect(getUserMedia.mock.calls).toEqual([[{ audio: true }], [{ audio: { deviceId: { exact: 'x' } } }]]);
});
