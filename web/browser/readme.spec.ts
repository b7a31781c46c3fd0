/** The examples of the README, just as they stand there. */

import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { API_KEY } from './auricle.js';
import { SENTENCE, words } from './clip.js';
import { expect, isChromium, test } from './fixtures.js';

declare global {
	var said: string[];
}

/** Runs an example in the page: its address and key are the test's. */
async function run(page: Page, example: number): Promise<void> {
	const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
	const [, code = ''] = [...readme.matchAll(/^```js\n([^]*?)^```$/gm)][example] ?? [];
	const content = code
		.replace("'https://captions.example'", 'location.origin')
		.replace(/\bKEY\b/, API_KEY)
		.replace("'auricle-client'", "'/_test/dist/index.js'")
		.replace("'auricle-client/live'", "'/_test/dist/live.js'");
	await page.addScriptTag({ type: 'module', content });
}

test('the first example of the README transcribes a recording', async ({ client: page }) => {
	await page.evaluate(async name => {
		globalThis.said = [];
		Object.assign(globalThis, {
			file: await (await fetch(`testdata/${name}`)).blob(),
			show: (text: string, seconds: number) => globalThis.said.push(text, seconds.toFixed(0)),
		});
	}, SENTENCE.file);
	await run(page, 0);
	await expect.poll(() => page.evaluate(() => globalThis.said.length)).toBe(2);
	const [text = '', seconds] = await page.evaluate(() => globalThis.said);
	expect(words(text)).toEqual(words(SENTENCE.text));
	expect(seconds).toBe('0');
});

test('the second example of the README shows captions', { tag: '@live' }, async ({ client: page }) => {
	test.skip(!isChromium(page), 'in the sound of Firefox, the model hears "saw" for "so"');
	await page.evaluate(() => {
		globalThis.said = [];
		const button = (): HTMLButtonElement => document.body.appendChild(document.createElement('button'));
		Object.assign(globalThis, {
			show: (stable: string, unstable: string) => globalThis.said.push(stable + unstable),
			keep: (text: string) => globalThis.said.push(`final: ${text}`),
			tell: (message: string) => globalThis.said.push(message),
			startButton: button(),
			stopButton: button(),
		});
	});
	await run(page, 1);
	await page.click('button >> nth=0');
	await expect.poll(() => page.evaluate(() => globalThis.said.join(' '))).toContain('country');
	await page.click('button >> nth=1');
	await expect.poll(() => page.evaluate(() => globalThis.said.at(-1))).toMatch(/^final: .*\bcountry/);
});

test('the third example of the README sends a recording', async ({ client: page }) => {
	const file = SENTENCE.file;
	const [answer] = await Promise.all([
		page.waitForResponse(/utterance/),
		page
			.evaluate(async file => {
				const recording = await (await fetch(`testdata/${file}`)).arrayBuffer();
				const audioBuffer = await new OfflineAudioContext(1, 1, 48_000).decodeAudioData(recording);
				Object.assign(globalThis, { audioBuffer });
			}, file)
			.then(() => run(page, 2)),
	]);
	expect(words(((await answer.json()) as { text: string }).text)).toEqual(words(SENTENCE.text));
});
