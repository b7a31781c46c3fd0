/** The client in a page: what it does without a word being said. */

import type { LiveClient, LiveEvent } from '../src/index.js';
import { API_KEY } from './auricle.js';
import { expect, isChromium, test } from './fixtures.js';

declare global {
	var client: LiveClient;
	var events: LiveEvent[];
}

const PACKETS_A_SECOND = 50;

test.beforeEach(async ({ client: page }) => {
	await page.evaluate(apiKey => {
		const client = new globalThis.auricle.LiveClient({ apiKey });
		globalThis.client = client;
		globalThis.events = [];
		void (async () => {
			for await (const event of client) {
				globalThis.events.push(event);
			}
		})();
	}, API_KEY);
});

test('accepts samples of the application', async ({ client: page, gateway }) => {
	const closed = await page.evaluate(() => {
		globalThis.client.push(new Float32Array(48_000), 48_000);
		return globalThis.client.finish();
	});
	expect(closed.packets).toBe(PACKETS_A_SECOND + 1); // the last brings the end out of the decoder
	expect(gateway.packets.length).toBe(closed.packets);
});

test('accepts any stream, and pauses it', { tag: '@live' }, async ({ client: page, gateway }) => {
	await page.evaluate(async () => {
		const context = new AudioContext({ sampleRate: 44_100 });
		const tone = context.createOscillator();
		const sink = context.createMediaStreamDestination();
		tone.connect(sink);
		tone.start();
		await globalThis.client.useStream(sink.stream);
	});
	await expect.poll(() => gateway.packets.length).toBeGreaterThan(PACKETS_A_SECOND / 2);
	await page.evaluate(() => globalThis.client.detach());
	await expect // what is still on its way arrives first
		.poll(async () => {
			const before = gateway.packets.length;
			await page.waitForTimeout(500);
			return gateway.packets.length - before;
		})
		.toBe(0);
	const closed = await page.evaluate(() => globalThis.client.finish());
	expect(closed.packets).toBe(gateway.packets.length);
	expect(closed).toMatchObject({ lostPackets: 0, decodeErrors: 0 });
});

test('applies the last of several quick requests', async ({ client: page, gateway }) => {
	const { isOpen, contexts } = await page.evaluate(async () => {
		const { client } = globalThis;
		const opened: AudioContext[] = [];
		const Real = AudioContext;
		globalThis.AudioContext = class extends Real {
			constructor(options?: AudioContextOptions) {
				super(options);
				opened.push(this);
			}
		};
		const pausing = client.useMicrophone();
		await client.detach();
		const media = await pausing;
		const sink = new Real().createMediaStreamDestination();
		await Promise.all([client.useStream(sink.stream), client.useStream(sink.stream)]);
		return {
			isOpen: media.getAudioTracks()[0]?.readyState,
			contexts: opened.filter(({ sampleRate }) => sampleRate === 16_000).map(({ state }) => state),
		};
	});
	expect(isOpen).toBe('ended');
	expect(contexts).toEqual(['closed', 'closed', 'running']);
	await expect.poll(() => gateway.packets.length).toBeGreaterThan(0);
});

test('reports nothing about an abandoned source', { tag: '@live' }, async ({ client: page }) => {
	const eventTypes = await page.evaluate(async () => {
		const media = await globalThis.client.useMicrophone();
		media.getAudioTracks()[0]?.dispatchEvent(new Event('ended'));
		await globalThis.client.detach();
		await new Promise(resolve => setTimeout(resolve, 100));
		return globalThis.events.map(({ type }) => type);
	});
	expect(eventTypes).not.toContain('source_lost');
});

test('rejects a stream without audio', async ({ client: page }) => {
	await expect(page.evaluate(() => globalThis.client.useStream(new MediaStream()))).rejects.toThrow(
		'This stream has no audio.',
	);
});

test('reports changes of page and microphone', async ({ client: page }) => {
	test.skip(!isChromium(page), 'Firefox delivers only its own events of tracks');
	await page.evaluate(async () => {
		const media = await globalThis.client.useMicrophone();
		const [track] = media.getAudioTracks();
		track?.dispatchEvent(new Event('mute'));
		track?.dispatchEvent(new Event('unmute'));
		track?.dispatchEvent(new Event('ended')); // as if it were unplugged
		Object.defineProperty(document, 'hidden', { value: true, configurable: true });
		document.dispatchEvent(new Event('visibilitychange'));
		Object.defineProperty(document, 'hidden', { value: false });
		document.dispatchEvent(new Event('visibilitychange'));
	});
	const eventNames = (): Promise<string[]> =>
		page.evaluate(() =>
			globalThis.events.map(event => ('cause' in event ? `${event.type} ${event.cause}` : event.type)),
		);
	for (const event of [
		'source_muted',
		'source_unmuted',
		'source_lost unplugged',
		'page_hidden',
		'page_visible',
	]) {
		await expect.poll(eventNames).toContain(event);
	}
});

test(
	'ends immediately on close, and accepts nothing after it',
	{ tag: '@live' },
	async ({ client: page }) => {
		const [how, then] = await page.evaluate(async () => {
			const { client } = globalThis;
			const media = await client.useMicrophone();
			client.close();
			const how = await client.closed.catch((error: unknown) => (error as { code: string }).code);
			const ended = await client[Symbol.asyncIterator]()
				.next()
				.catch((error: unknown) => (error as { code: string }).code);
			await new Promise(resolve => setTimeout(resolve, 600)); // the microphone's last sound may take so long
			return [how, [ended, media.getAudioTracks()[0]?.readyState]];
		});
		expect(how).toBe('aborted');
		expect(then).toEqual(['aborted', 'ended']);
	},
);

test('rejects invalid arguments in the call', async ({ client: page }) => {
	const codes = await page.evaluate(() => {
		const { LiveClient } = globalThis.auricle;
		const attempts = [
			() => new LiveClient({ url: 'nowhere' }),
			() => new LiveClient({ endpointMilliseconds: 1 }),
			() => globalThis.client.push(new Float32Array(1), 1),
			() => globalThis.client.configure({ endpointMilliseconds: 1 }),
		];
		return attempts.map(attempt => {
			try {
				attempt();
				return null;
			} catch (error) {
				return (error as { code: string }).code;
			}
		});
	});
	expect(codes).toEqual(Array<string>(4).fill('bad_parameters'));
});
