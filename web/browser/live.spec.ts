/** A real browser, a fake microphone, a real server with a real model. */

import { CLIP_SECONDS, FAKE_MICROPHONE_SECONDS, TEXT, words } from './clip.js';
import { expect, listen, test } from './fixtures.js';

const PACKETS_A_SECOND = 50;

test('what is said is what is read, and every packet arrives', async ({ client, gateway }) => {
	const { text, events, closed } = await listen(client);
	expect(words(text)).toEqual(words(TEXT));
	const sent = new Set(gateway.packets).size;
	expect(sent).toBe(gateway.packets.length); // none twice
	expect(closed.packets).toBe(sent);
	expect(closed).toMatchObject({ lostPackets: 0, decodeErrors: 0 });
	expect(sent).toBeGreaterThan(CLIP_SECONDS * PACKETS_A_SECOND);
	expect(gateway.connections).toBe(1);
	expect(events.map(event => event.type)).toContain('partial');
	expect(events.at(-1)).toEqual(closed);
	expect(events.filter(({ type }) => type === 'warning')).toEqual([]);
});

test('without an Opus encoder samples are sent', async ({ client, gateway }) => {
	const { text, closed } = await listen(client, { workerUrl: '/worker-without-encoder.js' });
	expect(words(text)).toEqual(words(TEXT));
	expect(gateway.packets).toEqual([]);
	expect(gateway.pcmSamples).toBe(closed.audioSeconds * 16_000);
});

test('an encoder that dies on the way costs no word', async ({ client, gateway }) => {
	const { text, events } = await listen(client, { workerUrl: '/worker-with-dying-encoder.js' });
	expect(words(text)).toEqual(words(TEXT));
	expect(gateway.packets.length).toBeGreaterThan(0);
	expect(gateway.pcmSamples).toBeGreaterThan(0);
	expect(events.filter(({ type }) => type === 'warning')).toMatchObject([{ code: 'encoder_failed' }]);
});

test('a connection that is gone for 5 s costs no word, and says none twice', async ({ client, gateway }) => {
	const listening = listen(client);
	await expect.poll(() => gateway.packets.length).toBeGreaterThan(3 * PACKETS_A_SECOND); // in mid-sentence
	gateway.cut();
	await client.waitForTimeout(5000);
	gateway.mend();
	const { text, events, closed } = await listening;
	expect(words(text)).toEqual(words(TEXT));
	expect(closed.packets).toBe(new Set(gateway.packets).size);
	const told = events.filter(({ type }) => type === 'connected' || type === 'disconnected');
	expect(told[0]).toEqual({ type: 'connected', resumed: false });
	expect(told[1]).toMatchObject({ type: 'disconnected', cause: 'network' });
	expect(told.at(-1)).toEqual({ type: 'connected', resumed: true });
	expect(closed.audioSeconds).toBeGreaterThan(FAKE_MICROPHONE_SECONDS - 1);
});

test('a wrong key is told as what it is', async ({ client }) => {
	await expect(listen(client, { apiKey: 'wrong' })).rejects.toThrow('The server does not know this key.');
});

test('a server that is not there is told as what it is', async ({ client, gateway }) => {
	gateway.cut();
	await expect(listen(client)).rejects.toThrow('The server can not be reached.');
});
