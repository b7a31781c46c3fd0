/** A recording becomes packets in a browser, and packets become text on a server. */

import { API_KEY } from './auricle.js';
import { SENTENCE, words } from './clip.js';
import { expect, test } from './fixtures.js';

const PACKETS_A_SECOND = 50;

test('encodes a recording to packets that the server decodes', { tag: '@smoke' }, async ({ client }) => {
	const { packets, answer } = await client.evaluate(async apiKey => {
		const { createPacketFormatData, encodeToPackets } = globalThis.auricle;
		const file = await (await fetch('testdata/fellow.wav')).arrayBuffer();
		const audio = await new OfflineAudioContext(2, 1, 44_100).decodeAudioData(file); // so it is resampled twice
		const packets = await encodeToPackets(audio);
		const response = await fetch('/utterance?audio_format=opus&language=en', {
			method: 'POST',
			headers: { Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/octet-stream' },
			body: createPacketFormatData(packets),
		});
		return { packets: packets.length, answer: (await response.json()) as { text: string } };
	}, API_KEY);
	expect(words(answer.text)).toEqual(words(SENTENCE.text));
	expect(packets).toBe(Math.ceil((SENTENCE.seconds + 0.0065) * PACKETS_A_SECOND));
});

test('encodes an empty recording as no packets', async ({ client }) => {
	const packets = await client.evaluate(() =>
		globalThis.auricle.encodeToPackets({ samples: new Float32Array(), sampleRate: 16_000 }),
	);
	expect(packets).toEqual([]);
});
