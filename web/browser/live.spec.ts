/** A real browser, real speech, a real server with a real model. */

import { API_KEY } from './auricle.js';
import { SENTENCE, STORY, words } from './clip.js';
import { expect, listen, test } from './fixtures.js';

const PACKETS_A_SECOND = 50;

test('transcribes speech, and every packet arrives', { tag: '@live' }, async ({ client, gateway }) => {
	const { text, events, closed, delayMilliseconds } = await listen(client);
	console.log(`from the last word's sample to its final: ${Math.round(delayMilliseconds)} ms`);
	expect(words(text)).toEqual(words(SENTENCE.text));
	const sent = new Set(gateway.packets).size;
	expect(sent).toBe(gateway.packets.length); // none twice
	expect(closed.packets).toBe(sent);
	expect(closed).toMatchObject({ lostPackets: 0, decodeErrors: 0 });
	expect(sent).toBeGreaterThan(SENTENCE.seconds * PACKETS_A_SECOND);
	expect(gateway.connections).toBe(1);
	expect(events.map(event => event.type)).toContain('partial');
	expect(events.at(-1)).toEqual(closed);
	expect(events.filter(({ type }) => type === 'warning')).toEqual([]);
});

test(
	'delivers each word once through crashes, cuts and restarts',
	{ tag: '@live' },
	async ({ client, gateway, server }) => {
		const count = (type: string): Promise<number> =>
			client.evaluate(type => globalThis.heard?.filter(event => event.type === type).length ?? 0, type);
		let restartedAt = 0;
		const listening = listen(client, { clip: STORY, held: true });

		await client.waitForFunction(() => globalThis.heard?.some(({ type }) => type === 'speech_ended'));
		await server.killWorker(); // it is about to recognise that
		await expect.poll(async () => (await server.worker()).state).not.toBe('ready');

		gateway.cut();
		await client.waitForTimeout(5000);
		gateway.mend();
		await expect.poll(() => count('connected')).toBe(2);
		await expect.poll(() => count('final')).toBeGreaterThan(0);

		await server.restart(() => (restartedAt = gateway.arrivals.length));
		await expect.poll(() => count('connected')).toBe(3);
		await client.evaluate(() => globalThis.release?.());

		const { text, events, closed } = await listening;
		expect(words(text)).toEqual(words(STORY.text));
		const finals = events.filter(event => event.type === 'final');
		expect(finals.map(({ id }) => id)).toEqual(finals.map((_, index) => index + 1));
		expect(events.filter(({ type }) => type === 'warning')).toEqual([]);
		const breaks = events.filter(({ type }) => type === 'connected' || type === 'disconnected');
		expect(breaks[0]).toMatchObject({ type: 'connected', resumed: false });
		expect(breaks[1]).toMatchObject({ type: 'disconnected', cause: 'network' });
		const resumed = breaks.findIndex(event => event.type === 'connected' && event.resumed);
		expect(breaks[resumed + 1]).toMatchObject({ cause: 'restarting', message: 'The server is restarting.' });
		expect(breaks.at(-1)).toMatchObject({ type: 'connected', resumed: false });
		expect(closed.packets).toBe(new Set(gateway.packets.slice(restartedAt)).size);
		expect(closed).toMatchObject({ lostPackets: 0, decodeErrors: 0 });
	},
);

test('sends samples without an Opus encoder', { tag: '@live' }, async ({ client, gateway }) => {
	const { text, closed } = await listen(client, { workerUrl: 'worker-without-encoder.js' });
	expect(words(text)).toEqual(words(SENTENCE.text));
	expect(gateway.packets).toEqual([]);
	expect(gateway.pcmSamples).toBe(closed.audioSeconds * 16_000);
});

test('loses no word when the encoder fails', async ({ client, gateway }) => {
	const listening = client.evaluate(
		async ({ apiKey, file }) => {
			const workerUrl = 'worker-with-dying-encoder.js';
			const client = new globalThis.auricle.LiveClient({ apiKey, workerUrl, language: 'en' });
			const said: string[] = [];
			const warnings: string[] = [];
			client.on('final', ({ text }) => said.push(text));
			client.on('warning', ({ code }) => warnings.push(code));
			const recording = await (await fetch(`testdata/${file}`)).arrayBuffer();
			const audio = await new OfflineAudioContext(1, 1, 48_000).decodeAudioData(recording);
			const samples = audio.getChannelData(0);
			const released = new Promise<void>(resolve => (globalThis.release = resolve));
			for (let at = 0; at < samples.length; at += 4800) {
				if (at === 48_000) {
					await released; // a slow encoder would fail before its first packet
				}
				client.push(samples.slice(at, at + 4800), 48_000);
				await new Promise(resolve => setTimeout(resolve, 10)); // ten times as fast as it was spoken
			}
			await client.finish();
			return { text: said.join(' '), warnings };
		},
		{ apiKey: API_KEY, file: SENTENCE.file },
	);
	await expect.poll(() => gateway.packets.length).toBeGreaterThan(0);
	await client.evaluate(() => globalThis.release?.());

	const { text, warnings } = await listening;
	expect(words(text)).toEqual(words(SENTENCE.text));
	expect(gateway.pcmSamples).toBeGreaterThan(0);
	expect(warnings).toEqual(['encoder_failed']);
});
