import { expect, test } from 'vitest';
import { blobOf, fileNameOf, queryOf } from '../../src/api/options.js';

test('options have the names and texts that the server reads', () => {
	expect(
		queryOf({
			language: 'en',
			hotwords: ['Auricle', 'Opus'],
			vocabulary: 'team',
			wordTimestamps: true,
			speakers: false,
			numSpeakers: 2,
			maxWaitSeconds: 2.5,
			keepAudioSeconds: 0,
		}),
	).toEqual({
		language: 'en',
		hotwords: 'Auricle,Opus',
		vocabulary: 'team',
		word_timestamps: 'true',
		speakers: 'false',
		num_speakers: '2',
		max_wait_s: '2.5',
		keep_audio_s: '0',
	});
});

test('what is no option stays out of the query', () => {
	expect(queryOf({ signal: new AbortController().signal, onProgress: () => undefined } as object)).toEqual(
		{},
	);
});

test('each kind of recording is a blob', async () => {
	const bytes = new Uint8Array([1, 2, 3]);
	const blob = new Blob([bytes]);
	expect(blobOf(blob)).toBe(blob);
	expect(await blobOf(bytes).arrayBuffer()).toEqual(bytes.buffer);
	expect(await blobOf(bytes.buffer).arrayBuffer()).toEqual(bytes.buffer);
});

test('a file has the name that the server accepts', () => {
	const named = (name: string): Blob => Object.assign(new Blob([]), { name });
	expect(fileNameOf(named('会议 1.wav'))).toBe('会议 1.wav');
	expect(fileNameOf(named('a\tb\n\u0085.wav'))).toBe('a?b??.wav');
	expect(fileNameOf(named('🎵'.repeat(300)))).toBe('🎵'.repeat(255));
	expect(fileNameOf(new Blob([]))).toBeUndefined();
});
