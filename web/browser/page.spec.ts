/** The captions' page, as the server serves it. */

import type { JSHandle, Page } from '@playwright/test';
import { API_KEY, OTHER_KEY, UNUSUAL_KEY } from './auricle.js';
import { drop, expectNobodyShutOut, saved, test, watched } from './captions-page.js';
import { FAKE_MICROPHONE_SECONDS, SENTENCE, words } from './clip.js';
import { expect, isChromium } from './fixtures.js';

declare global {
	/** From the last loud sample of the microphone to each line of captions since. */
	var delays: number[] | undefined;
	/** What {@link speakFrom} gives. */
	var shared: MediaStream | undefined;
	/** All that the page was given to listen to. */
	var opened: MediaStream[];
	/** What keeps the screen on. */
	var locks: Set<unknown>;
}

const MAX_VISIT_BYTES = 100_000;

/** Longer than captions may be late without a notice. */
const HANG_MILLISECONDS = 10_000;

/** Two seconds, the second of which is spoken. On a busy machine no partial shows it. */
const PACKETS_OF_FIRST_WORDS = 100;

/** Measures in the page how long after the last loud sample each line is there. */
async function measureDelays(page: Page): Promise<void> {
	await page.addInitScript(() => {
		const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
		navigator.mediaDevices.getUserMedia = async constraints => {
			const media = await open(constraints);
			const context = new AudioContext();
			const meter = context.createAnalyser();
			meter.fftSize = 1024;
			context.createMediaStreamSource(media).connect(meter);
			const samples = new Float32Array(meter.fftSize);
			let loudAt = 0;
			setInterval(() => {
				meter.getFloatTimeDomainData(samples);
				if (samples.some(sample => Math.abs(sample) > 0.01)) {
					loudAt = performance.now();
				}
			}, 10);
			const delays: number[] = (globalThis.delays = []);
			new MutationObserver(() => {
				requestAnimationFrame(() => delays.push(performance.now() - loudAt)); // it is painted next
			}).observe(document.querySelector('#lines') as Element, { childList: true });
			return media;
		};
	});
}

/** Returns how many packets the server has counted in sessions that are over. */
async function packetsCounted(port: number): Promise<number> {
	const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
	return Number(/^auricle_live_packets_total\{outcome="received"\} (\S+)$/m.exec(text)?.[1]);
}

/** Returns the texts that an element gets from now on. */
async function textsFromNowOn(page: Page, selector: string): Promise<JSHandle<string[]>> {
	return page.locator(selector).evaluateHandle(element => {
		const seen: string[] = [];
		new MutationObserver(() => seen.push(element.textContent)).observe(element, { childList: true });
		return seen;
	});
}

/** Returns the texts of the cues in a file of subtitles, each on one line. */
function cues(file: string, point: string): string[] {
	const time = `\\d\\d:\\d\\d:\\d\\d\\${point}\\d{3}`;
	const cue = new RegExp(`^${time} --> ${time}\n((?:.+\n)+)`, 'gm');
	return [...file.matchAll(cue)].map(([, text = '']) => text.trim().replaceAll('\n', ' '));
}

test(
	'shows captions, exports them, and counts every packet',
	{ tag: '@live' },
	async ({ page, captions, gateway, server }) => {
		await measureDelays(page);
		await page.reload();
		const before = await packetsCounted(server.port);
		await captions.getByLabel('Spoken language').selectOption('English');
		await captions.getByRole('button', { name: 'Start' }).click();
		await expect(captions.locator('#state')).toHaveText('Listening');
		await expect(captions.locator('#partials .unstable')).toContainText(/\w/);
		await expect
			.poll(() => captions.locator('.level i').evaluate(bar => bar.getBoundingClientRect().width))
			.toBeGreaterThan(10);
		await expect(captions.locator('#lines')).toContainText(/your country\.$/);
		const [delay = NaN] = await page.evaluate(() => globalThis.delays ?? []);
		console.log(`from the last word's sample to its final on the screen: ${Math.round(delay)} ms`);
		await expect(captions.locator('#partials')).toBeEmpty();
		await expect(captions.locator('#delay')).toHaveText(/^final after \d+\.\d s$/);
		await captions.getByRole('button', { name: 'Stop' }).click();
		await expect(captions.locator('#state')).toHaveText('Not listening');

		const said = await captions.locator('#lines .words').allTextContents();
		expect(words(said.join(' '))).toEqual(words(SENTENCE.text));
		const sent = new Set(gateway.packets).size;
		expect(sent).toBeGreaterThan(SENTENCE.seconds * 50);
		expect((await packetsCounted(server.port)) - before).toBe(sent);

		const [name, txt] = await saved(captions, 'Plain text');
		expect(name).toMatch(/^captions-\d{4}-\d\d-\d\d-\d{4}\.txt$/);
		expect(txt).toBe(said.map(line => `${line}\n`).join(''));
		const [, srt] = await saved(captions, 'Subtitles (SubRip)');
		expect(cues(srt, ',').join(' ')).toBe(said.join(' '));
		expect(srt).toMatch(/^1\n/);
		const [, vtt] = await saved(captions, 'Subtitles (WebVTT)');
		expect(cues(vtt, '.').join(' ')).toBe(said.join(' '));
		expect(vtt).toMatch(/^WEBVTT\n\n/);
		const [, json] = await saved(captions, 'JSON with times');
		expect(JSON.parse(json)).toMatchObject({
			text: said.join(' '),
			segments: said.map(text => ({ text, language: 'en' })),
		});

		await page.context().grantPermissions(['microphone', 'clipboard-read', 'clipboard-write']);
		await captions.locator('#captions summary').click();
		await captions.getByRole('button', { name: 'Copy text' }).click();
		await expect(captions.getByRole('button', { name: 'Copied' })).toBeVisible();
		expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(txt);

		await expectNobodyShutOut(captions);
		await captions.getByRole('button', { name: 'Clear' }).click();
		await expect(captions.locator('#empty')).toBeVisible();
		await expect(captions.locator('#captions summary')).toBeHidden();
	},
);

test('is accessible before speech, also on a small phone', { tag: '@smoke' }, async ({ captions: page }) => {
	await expectNobodyShutOut(page);
	await page.setViewportSize({ width: 320, height: 568 });
	expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
});

test('starts, pauses, projects and stops by keyboard', async ({ captions: page }) => {
	const focused = page.locator(':focus');
	const tabTo = async (name: string, key = 'Tab'): Promise<void> => {
		for (let presses = 0; presses < 30; presses++) {
			if ((await focused.count()) > 0 && (await focused.textContent()) === name) {
				return;
			}
			await page.keyboard.press(key);
		}
		throw new Error(`there is no way to ${name}`);
	};
	await tabTo('Start');
	await page.keyboard.down('Enter');
	await page.keyboard.down('Enter'); // is held
	await page.keyboard.up('Enter');
	await expect(page.locator('#state')).toHaveText('Listening');
	await tabTo('Pause');
	await page.keyboard.press('Space');
	await expect(page.locator('#state')).toHaveText('Paused');
	await page.keyboard.press('Space');
	await expect(page.locator('#state')).toHaveText('Listening');
	await tabTo('Full screen', 'Shift+Tab');
	await page.keyboard.press('Enter');
	await expect(page.getByRole('button', { name: 'Leave full screen' })).toBeFocused();
	expect(await page.evaluate(() => document.fullscreenElement?.tagName)).toBe('HTML');
	const { width, height } = await page.evaluate(() => ({ width: innerWidth, height: innerHeight }));
	expect(await page.locator('#captions').boundingBox()).toEqual({ x: 0, y: 0, width, height });
	const beside = page.locator('[data-beside]');
	expect(await beside.evaluateAll(all => all.filter(one => !(one as HTMLElement).inert))).toEqual([]);
	await page.keyboard.press('Escape');
	await expect(page.getByRole('button', { name: 'Full screen' })).toBeFocused();
	await page.keyboard.press('Enter');
	await page.evaluate(() => (location.hash = '#recordings')); // as Back may
	await page.getByRole('link', { name: 'Live' }).click();
	await expect(page.getByRole('button', { name: 'Full screen' })).toBeVisible();
	await tabTo('Stop');
	await page.keyboard.press('Enter');
	await expect(page.locator('#state')).toHaveText('Not listening');
});

test('starts a stream with the options of the panel, and keeps them', async ({ captions: page }) => {
	test.skip(!isChromium(page), 'Firefox reports no WebSockets to tests');
	const opening = page.waitForEvent('websocket');
	const starting = opening.then(socket => socket.waitForEvent('framesent'));
	await page.getByRole('button', { name: 'Options' }).click();
	await page.getByLabel('Words to know').fill('Auricle,  Piper , ');
	await page.getByLabel('Translate into English').check();
	await page.getByLabel('Wait until a sentence sounds finished').check();
	await expectNobodyShutOut(page);
	await page.keyboard.press('Escape');
	await expect(page.getByLabel('Words to know')).toBeHidden();
	await expect(page.getByRole('button', { name: 'Options' })).toBeFocused();
	await page.reload();
	await page.getByRole('button', { name: 'Start' }).click();
	const { payload } = await starting;
	expect(JSON.parse(String(payload))).toMatchObject({
		...{ turn_detection: true, speakers: false, task: 'translate', hotwords: ['Auricle', 'Piper'] },
	});
	await page.getByRole('button', { name: 'Options' }).click();
	await expect(page.getByLabel('Wait until a sentence sounds finished')).toBeDisabled();
	await expect(page.locator('#state')).toHaveText('Listening');
	const changing = (await opening).waitForEvent('framesent', ({ payload }) =>
		String(payload).includes('configure'),
	);
	await page.getByLabel('Words to know').fill('Auricle, Whisper');
	await page.keyboard.press('Enter');
	expect(JSON.parse(String((await changing).payload))).toMatchObject({
		...{ type: 'configure', task: 'translate', hotwords: ['Auricle', 'Whisper'] },
	});
});

test('changes the look of the captions, and keeps it', async ({ captions: page }) => {
	const look = (): Promise<string[]> =>
		page.locator('#scroll').evaluate(scroll => {
			const { fontSize, backgroundColor } = getComputedStyle(scroll.closest('#captions') ?? scroll);
			return [getComputedStyle(scroll).fontSize, backgroundColor, fontSize];
		});
	const [usual] = await look();
	const choose = async (label: string, option: string): Promise<void> => {
		await page.getByLabel(label).selectOption(option);
	};
	await page.getByRole('button', { name: 'Options' }).click();
	await choose('Text size', 'Very large');
	await choose('Contrast', 'Yellow on black');
	await choose('Position', 'At the bottom');
	await page.reload();
	const [size = '', ground] = await look();
	expect(parseFloat(size)).toBeGreaterThan(1.5 * parseFloat(usual ?? ''));
	expect(ground).toBe('rgb(0, 0, 0)');
	const scroll = await page.locator('#scroll').boundingBox();
	const empty = await page.locator('#empty').boundingBox();
	expect((empty?.y ?? 0) - (scroll?.y ?? 0)).toBeGreaterThan(20);
	await expectNobodyShutOut(page);
});

test(
	'plays the example, and shows its captions as paragraphs',
	{ tag: ['@smoke', '@live'] },
	async ({ captions: page }) => {
		await page.getByRole('button', { name: 'Hear an example' }).click();
		await expect(page.locator('#invitation')).toHaveText('Listening …');
		await expect(page.getByRole('button', { name: 'Pause' })).toBeHidden();
		await expect(page.locator('#lines')).toContainText('high above the trees.');
		await expect(page.locator('#state')).toHaveText('Not listening'); // it ends by itself
		const lines = page.locator('#lines .line');
		expect(await lines.count()).toBeGreaterThan(2);
		await expect(page.locator('#lines .first')).toHaveCount(1); // its pauses are short
		await expect(lines.first().locator('time')).toBeVisible();
		await expect(lines.last().locator('time')).toBeHidden();
	},
);

test('leaves a phone’s screen to the captions, and its notices move no text', async ({
	captions: page,
	gateway,
}) => {
	await page.setViewportSize({ width: 390, height: 844 });
	const height = async (where: string): Promise<number> =>
		(await page.locator(where).boundingBox())?.height ?? NaN;
	await page.getByRole('button', { name: 'Start' }).click();
	await expect(page.locator('#state')).toHaveText('Listening');
	const controls = (await height('.strip')) + (await height('#dock'));
	console.log(`controls take ${((100 * controls) / 844).toFixed(1)} % of a phone's height`);
	expect(controls).toBeLessThan(0.2 * 844);
	const before = await page.locator('#scroll').boundingBox();
	gateway.cut();
	await expect(page.locator('#notice')).toBeVisible();
	expect(await page.locator('#scroll').boundingBox()).toEqual(before);
	await expect(page.locator('#notice')).toHaveAttribute('data-kind', 'wait');
	await expectNobodyShutOut(page);
});

test(
	'shows a lost connection until it is restored',
	{ tag: '@live' },
	async ({ captions: page, gateway }) => {
		await page.getByRole('button', { name: 'Start' }).click();
		await expect(page.locator('#state')).toHaveText('Listening');
		gateway.cut();
		await expect(page.locator('#notice')).toHaveText(/^The connection was lost\./);
		await expect(page.locator('#state')).toHaveText('Reconnecting');
		const states = await textsFromNowOn(page, '#state');
		await page.getByRole('button', { name: 'Pause' }).click();
		await page.getByRole('button', { name: 'Resume' }).click();
		await expect.poll(() => states.jsonValue()).toEqual(['Paused', 'Reconnecting']);
		await expect(page.locator('#notice')).toHaveText(/^The connection was lost\./);
		gateway.mend();
		await expect(page.locator('#state')).toHaveText('Listening');
		await expect(page.locator('#notice')).toBeHidden();
	},
);

test(
	'says that captions are late while a recogniser hangs, and what is kept',
	{ tag: '@live' },
	async ({ captions: page, gateway, server }) => {
		await page.getByRole('button', { name: 'Start' }).click();
		await expect.poll(() => gateway.packets.length).toBeGreaterThan(PACKETS_OF_FIRST_WORDS);
		const hung = server.hangWorkers(HANG_MILLISECONDS);
		await expect(page.locator('#notice')).toHaveText(/^Captions are late, nothing is lost \(\d+ s kept\)\.$/);
		await expectNobodyShutOut(page);
		await hung;
		await expect(page.locator('#lines')).toContainText(/your country\.$/);
		await expect(page.locator('#notice')).toBeHidden();
	},
);

test(
	'shows that the server is starting, and goes on soon after',
	{ tag: '@live' },
	async ({ captions: page, server }) => {
		const release = await server.holdStart();
		await page.getByRole('button', { name: 'Start' }).click();
		await expect(page.locator('#state')).toHaveText('Starting');
		release();
		await expect(page.locator('#state')).toHaveText('Listening', { timeout: 90_000 }); // the model is loaded meanwhile
		await expect(page.locator('#lines .lost')).toHaveCount(0);
	},
);

test(
	'shows lost speech as a line on the page and in files, in both languages',
	{ tag: '@live' },
	async ({ captions: page, gateway }) => {
		await page.goto(`${gateway.url}?outage_buffer_s=2`);
		await page.getByRole('button', { name: 'Start' }).click();
		await expect(page.locator('#state')).toHaveText('Listening');
		gateway.cut();
		await expect(page.locator('#state')).toHaveText('Reconnecting');
		await page.waitForTimeout(6000); // speech goes on, and what is older than 2 s is dropped
		gateway.mend();
		const line = page.locator('#lines .lost');
		await expect(line).toHaveText(/^\[\d+\.\d s missing: server unreachable\]$/);
		const [, vtt] = await saved(page, 'Subtitles (WebVTT)');
		expect(cues(vtt, '.')).toContainEqual(await line.textContent());
		const [, json] = await saved(page, 'JSON with times');
		expect(JSON.parse(json)).toMatchObject({ gaps: [{ code: 'unreachable', reason: 'server unreachable' }] });
		await page.getByRole('button', { name: '中文' }).click();
		await expect(line).toHaveText(/^\[缺失 \d+\.\d 秒：无法连接服务器\]$/);
		await expectNobodyShutOut(page);
	},
);

test(
	'catches up after a long outage, and shows the delay',
	{ tag: '@live' },
	async ({ captions: page, gateway }) => {
		await page.getByRole('button', { name: 'Start' }).click();
		await expect(page.locator('#state')).toHaveText('Listening');
		const seen = await textsFromNowOn(page, '#delay');
		gateway.cut();
		await page.waitForTimeout(FAKE_MICROPHONE_SECONDS * 1000); // all of it is said meanwhile
		gateway.mend();
		await expect
			.poll(() => seen.jsonValue())
			.toContainEqual(expect.stringMatching(/^catching up, 1\d s behind$/));
		await expect(page.locator('#lines')).toContainText('your country');
		await expect(page.locator('#delay')).not.toContainText('catching up');
		await expect(page.locator('#lines .lost')).toHaveCount(0);
	},
);

test('applies the last of several quick clicks, and leaves no microphone on', async ({
	captions: page,
	gateway,
}) => {
	test.skip(!isChromium(page), 'only Chromium shares the audio of tabs');
	await page.addInitScript(() => {
		const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
		let first: Promise<MediaStream> | undefined;
		globalThis.opened = [];
		navigator.mediaDevices.getUserMedia = async constraints => {
			const media = (await (first ??= open(constraints))).clone(); // at once, after the first
			globalThis.opened.push(media);
			return media;
		};
		navigator.mediaDevices.getDisplayMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'));
	});
	await page.reload();
	const press = (id: string, times: number): Promise<void> =>
		page.locator(id).evaluate((button, times) => {
			for (let time = 0; time < times; time++) (button as HTMLButtonElement).click();
		}, times);
	const live = (): Promise<number> =>
		page.evaluate(
			() => globalThis.opened.filter(media => media.getAudioTracks()[0]?.readyState === 'live').length,
		);
	const expectListening = async (): Promise<void> => {
		await expect(page.locator('#state')).toHaveText('Listening');
		await expect.poll(live).toBe(1);
		const before = gateway.packets.length;
		await expect.poll(() => gateway.packets.length).toBeGreaterThan(before + 50);
		expect(await live()).toBe(1);
	};
	await press('#start', 3); // starts, stops, starts
	await expectListening();
	await press('#pause', 2); // pauses, goes on
	await expectListening();
	await press('#pause', 1);
	await expect(page.locator('#state')).toHaveText('Paused');
	await press('#pause', 2); // goes on, twice
	await expectListening();
	await page.getByLabel('Listen to').selectOption('Audio of a tab');
	await expect(page.locator('#notice')).toHaveText('No tab was selected.');
	await expect(page.getByLabel('Listen to')).toHaveValue('');
	await expectListening();
	await press('#start', 3); // stops, at once, starts
	await expectListening();
	await press('#start', 2);
	await expect(page.locator('#state')).toHaveText('Not listening');
	await expect.poll(live).toBe(0);
});

test('reports a silent microphone, and keeps the screen on', async ({ captions: page }) => {
	await page.addInitScript(() => {
		navigator.mediaDevices.getUserMedia = () =>
			Promise.resolve(new AudioContext().createMediaStreamDestination().stream);
		globalThis.locks = new Set();
		navigator.wakeLock.request = () => {
			const release = (): Promise<void> => Promise.resolve(void globalThis.locks.delete(release));
			globalThis.locks.add(release);
			return Promise.resolve({ release } as WakeLockSentinel);
		};
	});
	await page.reload();
	const locks = (): Promise<number> => page.evaluate(() => globalThis.locks.size);
	await page.getByRole('button', { name: 'Start' }).click();
	await expect(page.locator('#state')).toHaveText('Listening');
	await expect.poll(locks).toBe(1);
	await page.evaluate(() => {
		globalThis.locks.clear(); // as a browser does when the page is hidden
		document.dispatchEvent(new Event('visibilitychange'));
	});
	await expect(page.locator('#notice')).toHaveText(/^No sound is arriving\./);
	await expect.poll(locks).toBe(1);
	await page.getByRole('button', { name: 'Pause' }).click();
	await expect(page.locator('#notice')).toBeHidden();
	await page.getByRole('button', { name: 'Stop' }).click();
	await expect(page.locator('#state')).toHaveText('Not listening');
	await expect.poll(locks).toBe(0);
});

test('shows that the server is unreachable', async ({ captions: page, gateway }) => {
	gateway.cut();
	await page.getByRole('button', { name: 'Start' }).click();
	await expect(page.locator('#notice')).toHaveText(/^The server can’t be reached\./);
	await expect(page.locator('#state')).toHaveText('Not listening');
});

test.describe('without the right key', () => {
	test.use({ key: null });

	test('asks for a key, for captions and for files', async ({ captions: page }) => {
		const [field, use] = [
			page.getByLabel('Key for this server'),
			page.getByRole('button', { name: 'Use this key' }),
		];
		await page.getByRole('button', { name: 'Start' }).click();
		await expect(page.locator('#notice')).toHaveText('The server requires a key.');
		await expectNobodyShutOut(page);
		for (const wrong of ['wrong', 'wrong/as+Base64==', 'ключ']) {
			await field.fill(wrong);
			await use.click();
			await expect(page.locator('#notice')).toHaveText('The server does not know this key.');
			await expect(field).toBeFocused();
		}
		await expect(page.locator('#empty')).toBeVisible(); // what was captured meanwhile is no lost speech
		await field.fill(API_KEY);
		await field.press('Enter');
		await expect(page.locator('#state')).toHaveText('Listening');
		await expect(field).toBeHidden();
		await expect(page.locator('#notice')).toBeHidden();
		await page.getByRole('button', { name: 'Stop' }).click();
		await expect(page.locator('#state')).toHaveText('Not listening');

		await page.evaluate(() => sessionStorage.clear());
		await drop(page, 'short.wav');
		await expect(page.locator('#notice')).toHaveText('The server requires a key.');
		await page.getByRole('link', { name: 'Live' }).click();
		const states = await textsFromNowOn(page, '#state');
		await page.getByRole('button', { name: 'Start' }).click();
		await expect
			.poll(async () => (await states.jsonValue()).slice(-2))
			.toEqual(['Connecting', 'Not listening']);
		await field.fill(UNUSUAL_KEY);
		await use.click();
		await expect(page.locator('#state')).toHaveText('Listening'); // both go on
		await page.getByRole('link', { name: 'Recordings' }).click();
		await page.locator('.column-list .row').click();
		await expect(page.locator('.recording .sentence')).toHaveText('The train leaves at noon.');
	});
});

test.describe('with another key', () => {
	test.use({ key: OTHER_KEY });

	test(
		'shows a full server, and works once it has room',
		{ tag: '@live' },
		async ({ captions: page, server }) => {
			const full = await server.fill();
			await page.getByRole('button', { name: 'Start' }).click();
			await expect(page.locator('#state')).toHaveText('Waiting for a free place');
			await expect(page.locator('#notice')).toHaveText(/^The server is full\. Your speech is kept/);
			full.leave();
			await expect(page.locator('#state')).toHaveText('Listening');
			await expect(page.locator('#notice')).toBeHidden();
		},
	);
});

test.describe('in Chinese', () => {
	test.use({ locale: 'zh-CN' });

	test('is shown in Chinese until another language is chosen', async ({ captions: page, gateway }) => {
		await expect(page.locator('html')).toHaveAttribute('lang', 'zh');
		await expect(page.getByRole('heading', { level: 1 })).toHaveText('实时字幕');
		await expect(page.getByLabel('所说语言').getByRole('option', { name: '法语' })).toBeAttached();
		gateway.cut();
		await page.getByRole('button', { name: '开始' }).click();
		await expect(page.locator('#notice')).toHaveText('无法连接服务器。请检查网络，然后按“开始”。');
		await page.getByRole('button', { name: 'English' }).click();
		await expect(page.locator('html')).toHaveAttribute('lang', 'en');
		await expect(page.locator('#notice')).toHaveText(/^The server can’t be reached\./);
		await expect(page.getByRole('button', { name: 'Start' })).toBeVisible();
		gateway.mend();
		await page.reload();
		await expect(page.locator('html')).toHaveAttribute('lang', 'en');
		await expectNobodyShutOut(page);
	});
});

test('paints with the first response, within the size limit', async ({ page, gateway }) => {
	const problems = await watched(page, gateway.url);
	let letThrough = (): void => undefined;
	const late = new Promise<void>(resolve => (letThrough = resolve));
	await page.route('**/assets/**', async route => {
		await late;
		await route.continue();
	});
	const sizes: Promise<{ responseBodySize: number; responseHeadersSize: number }>[] = [];
	page.on('requestfinished', request => sizes.push(request.sizes()));
	await page.goto(gateway.url, { waitUntil: 'commit' });
	const painted = await page.evaluate(
		() =>
			new Promise<number>(resolve => {
				new PerformanceObserver(list => {
					const [first] = list.getEntriesByName('first-contentful-paint');
					if (first !== undefined) resolve(first.startTime);
				}).observe({ type: 'paint', buffered: true });
			}),
	);
	await expect(page.getByRole('button', { name: 'Start' })).toBeVisible();
	expect(await page.locator('#start').evaluate(start => getComputedStyle(start).borderTopLeftRadius)).toBe(
		'32px',
	);
	console.log(`first paint after ${Math.round(painted)} ms, with no script or picture there yet`);
	letThrough();
	await page
		.getByLabel('Spoken language')
		.getByRole('option', { name: 'French' })
		.waitFor({ state: 'attached' });
	await page.waitForLoadState('networkidle');
	const bytes = (await Promise.all(sizes)).reduce(
		(sum, { responseBodySize, responseHeadersSize }) => sum + responseBodySize + responseHeadersSize,
		0,
	);
	console.log(`a visit: ${bytes} bytes in ${sizes.length} answers`);
	expect(sizes.length).toBeGreaterThan(1);
	expect(bytes).toBeLessThan(MAX_VISIT_BYTES);
	expect(problems).toEqual([]);
});

test(
	"captures a tab's audio, and changes the source while running",
	{ tag: '@live' },
	async ({ page, captions }) => {
		test.skip(!isChromium(page), 'only Chromium shares the audio of tabs');
		await page.addInitScript(speakFrom, { where: 'getDisplayMedia', file: SENTENCE.file } as const);
		await page.reload();
		await captions.getByLabel('Spoken language').selectOption('English');
		await captions.getByRole('button', { name: 'Start' }).click();
		await expect(captions.locator('#state')).toHaveText('Listening');
		await captions.getByLabel('Listen to').selectOption('Audio of a tab');
		await expect(captions.locator('#partials .unstable')).toContainText(/\w/);
		await page.evaluate(() => globalThis.shared?.getAudioTracks()[0]?.dispatchEvent(new Event('ended')));
		await expect(captions.locator('#notice')).toHaveText(/^The tab is no longer shared\./);
		await expect(captions.locator('#state')).toHaveText('Paused');
		await expect(captions.locator('#lines')).toContainText(/\band\b/i); // what was said is finished all the same
		await captions.getByRole('button', { name: 'Stop' }).click();
		await expect(captions.locator('#state')).toHaveText('Not listening');
	},
);

test.describe('in a browser', () => {
	test.skip(({ browserName }) => browserName !== 'chromium', 'needs the switches of Chromium');
	const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
	const args = ['--no-sandbox', '--disable-gpu'];

	test(
		'without a microphone or permission, explains the problem',
		{ tag: '@smoke' },
		async ({ playwright, gateway }) => {
			const denying = await playwright.chromium.launch({
				executablePath,
				args: [...args, '--use-fake-device-for-media-stream'],
			});
			const page = await denying.newPage();
			await page.goto(gateway.url);
			await page.getByRole('button', { name: 'Start' }).click();
			await expect(page.locator('#notice')).toHaveText(/^This page may not use the microphone\./);
			await expect(page.locator('#state')).toHaveText('Not listening');
			await denying.close();

			const deaf = await playwright.chromium.launch({
				executablePath,
				args: [...args, '--disable-audio-input'],
			});
			const other = await deaf.newPage({ permissions: ['microphone'] });
			await other.goto(gateway.url);
			await other.getByRole('button', { name: 'Start' }).click();
			await expect(other.locator('#notice')).toHaveText(/^No microphone found\./);
			await deaf.close();
		},
	);

	test(
		'without HTTPS, explains it and accepts recordings',
		{ tag: '@smoke' },
		async ({ playwright, gateway }) => {
			const rules = '--host-resolver-rules=MAP captions.example 127.0.0.1';
			const browser = await playwright.chromium.launch({ executablePath, args: [...args, rules] });
			const page = await browser.newPage();
			await page.addInitScript(key => sessionStorage.setItem('auricle.key', key), API_KEY);
			await page.goto(gateway.url.replace('127.0.0.1', 'captions.example'));
			await expect(page.locator('#notice')).toHaveText(/only on https:\/\/ pages and on/);
			await expect(page.getByRole('button', { name: 'Start' })).toBeDisabled();
			await drop(page, 'short.wav');
			await expect(page.locator('.recording .sentence')).toHaveText('The train leaves at noon.');
			await browser.close();
		},
	);
});

/** Lets a page hear a recording of testdata in the place of a microphone or a tab; runs in the page. */
function speakFrom({ where, file }: { where: 'getUserMedia' | 'getDisplayMedia'; file: string }): void {
	navigator.mediaDevices[where] = async () => {
		const context = new AudioContext();
		const recording = await (await fetch(`_test/testdata/${file}`)).arrayBuffer();
		const speaker = context.createBufferSource();
		speaker.buffer = await context.decodeAudioData(recording);
		const sink = context.createMediaStreamDestination();
		speaker.connect(sink);
		speaker.start();
		return (globalThis.shared = sink.stream);
	};
}
