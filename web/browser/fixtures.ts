/** What the tests in a browser share: one server, and for each test a gateway and a page. */

import { type Page, test as base } from '@playwright/test';
import type * as auricleClient from '../src/index.js';
import { API_KEY, Auricle } from './auricle.js';
import { type Clip, FAKE_MICROPHONE_SECONDS } from './clip.js';
import { Gateway } from './gateway.js';

declare global {
	// The library's page sets it.
	var auricle: typeof auricleClient;
	/** All events of the stream that {@link listen} has begun. */
	var heard: auricleClient.LiveEvent[] | undefined;
	/** Lets a stream that is {@link Listening.held} end. */
	var release: (() => void) | undefined;
}

/** What came of a stream. */
export interface Heard {
	readonly text: string;
	readonly events: readonly auricleClient.LiveEvent[];
	readonly closed: auricleClient.Closed;
	/** From the last loud sample to the final after it, in the page. */
	readonly delayMilliseconds: number;
}

/** What is listened to, and how. */
export interface Listening extends auricleClient.LiveClientOptions {
	/** A recording, as fast as it is spoken; the fake microphone if left out. */
	readonly clip?: Clip;
	/** The page is busy for so long in each second. */
	readonly busyMilliseconds?: number;
	/** Listens on after the recording, until the test calls `release` in the page. */
	readonly held?: boolean;
}

interface Own {
	readonly gateway: Gateway;
	readonly client: Page;
}

interface Shared {
	readonly server: Auricle;
}

export const test = base.extend<Own, Shared>({
	server: [
		async ({}, use) => {
			const server = await Auricle.start();
			await use(server);
			await server.stop();
		},
		{ scope: 'worker', timeout: 180_000 },
	],
	gateway: async ({ server }, use) => {
		const gateway = await Gateway.open(server.port);
		await use(gateway);
		await gateway.close();
	},
	context: async ({ browserName, context }, use) => {
		if (browserName !== 'chromium') {
			await context.addInitScript(playMicrophone, 'microphone.wav');
		}
		await use(context);
	},
	client: async ({ gateway, page }, use) => {
		const problems = errorsOf(page);
		await page.goto(gateway.libraryPage);
		await page.waitForFunction(() => 'auricle' in globalThis);
		await use(page);
		base.expect(problems).toEqual([]);
	},
});

export const { expect } = base;

/** Whether a page is in Chromium, the only browser with some of what tests use. */
export function isChromium(page: Page): boolean {
	return page.context().browser()?.browserType().name() === 'chromium';
}

/** Returns the errors of a page from now on, those that are yet to come, too. */
export function errorsOf(page: Page): string[] {
	const errors: string[] = [];
	page.on('pageerror', ({ message }) => {
		if (!LOST_CONNECTION.test(message)) {
			errors.push(message);
		}
	});
	return errors;
}

/** Firefox reports as an error of the page what a WebSocket reports to it. */
const LOST_CONNECTION = /^Firefox can’t establish a connection|^The connection to .+ was interrupted/;

const SILENCE_AFTER_CLIP_SECONDS = 1;

/** The short sentence, for {@link playMicrophone}: enough for what needs captions, whatever they say. */
export const SHORT_SENTENCE = 'testdata/short.wav';

/** Replaces the microphone by a recording that the gateway serves; runs in the page. */
export function playMicrophone(file: string): void {
	if (!('mediaDevices' in navigator)) {
		return; // an empty page
	}
	navigator.mediaDevices.getUserMedia = async () => {
		const context = new AudioContext();
		const recording = await (await fetch(`/_test/${file}`)).arrayBuffer();
		const speaker = context.createBufferSource();
		speaker.buffer = await context.decodeAudioData(recording);
		const sink = context.createMediaStreamDestination();
		speaker.connect(sink);
		speaker.start();
		return sink.stream;
	};
}

/** Lets the fake microphone or a recording speak to the end; returns what was heard. */
export async function listen(page: Page, listening: Listening = {}): Promise<Heard> {
	const { clip, busyMilliseconds = 0, held = false, ...options } = listening;
	return page.evaluate(
		async ({ asked, file, parts, seconds, busyMilliseconds, held }) => {
			const client = new globalThis.auricle.LiveClient(asked);
			const events: auricleClient.LiveEvent[] = (globalThis.heard = []);
			const finals: string[] = [];
			let loudAt = 0;
			let delayMilliseconds = 0;
			client.on('final', ({ text }) => {
				finals.push(text);
				delayMilliseconds = performance.now() - loudAt;
			});
			const reading = (async () => {
				for await (const event of client) {
					events.push(event);
				}
			})();
			reading.catch(() => undefined); // it fails when the stream does, and that is seen below

			const context = new AudioContext();
			let media: MediaStream;
			if (file === undefined) {
				media = await client.useMicrophone();
			} else {
				const recording = await (await fetch(`testdata/${file}`)).arrayBuffer();
				const buffer = await context.decodeAudioData(recording);
				const sink = context.createMediaStreamDestination();
				media = sink.stream;
				await client.useStream(media);
				let startsAt = context.currentTime;
				for (const [from, to] of parts ?? [[0, buffer.duration]]) {
					const speaker = new AudioBufferSourceNode(context, { buffer });
					speaker.connect(sink);
					speaker.start(startsAt, from, to - from);
					startsAt += to - from;
				}
			}
			const meter = context.createAnalyser();
			meter.fftSize = 1024;
			context.createMediaStreamSource(media).connect(meter);
			const samples = new Float32Array(meter.fftSize);
			const endsAt = context.currentTime + seconds; // by the clock of the sound: not every browser's is exact
			let metering: ReturnType<typeof setInterval> | undefined;
			const over = new Promise<void>(resolve => {
				metering = setInterval(() => {
					meter.getFloatTimeDomainData(samples);
					if (samples.some(sample => Math.abs(sample) > 0.01)) {
						loudAt = performance.now();
					}
					if (context.currentTime > endsAt) {
						resolve();
					}
				}, 10);
			});
			const blocking = setInterval(() => {
				const end = performance.now() + busyMilliseconds;
				while (performance.now() < end); // nothing else gets a turn on the page
			}, 1000);

			const released = held ? new Promise<void>(resolve => (globalThis.release = resolve)) : undefined;
			await Promise.race([client.closed, over.then(() => released)]);
			clearInterval(blocking);
			clearInterval(metering);
			const closed = await client.finish();
			await reading;
			return { text: finals.join(' '), events, closed, delayMilliseconds };
		},
		{
			asked: { language: 'en', apiKey: API_KEY, ...options },
			file: clip?.file,
			parts: clip?.parts,
			seconds: clip === undefined ? FAKE_MICROPHONE_SECONDS : clip.seconds + SILENCE_AFTER_CLIP_SECONDS,
			busyMilliseconds,
			held,
		},
	);
}
