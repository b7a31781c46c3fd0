/** Known voices: a speaker is remembered once, named in the next recording, and forgotten. */

import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { Client } from '../src/index.js';
import { API_KEY, Auricle } from './auricle.js';
import { expectNobodyShutOut, test } from './captions-page.js';
import { TESTDATA } from './clip.js';
import { expect } from './fixtures.js';

const HEADER_BYTES = 44;
const PHONE = { width: 320, height: 568 };
/** Longer than a phone is wide, with a word that has to be broken. */
const NAME = '王小明（上海办公室） Wolfeschlegelsteinhausenbergerdorff';

/** A recording of one person, twice as long as the clip. */
async function speech(): Promise<Blob> {
	const wav = await readFile(new URL('fellow.wav', TESTDATA));
	const header = Buffer.from(wav.subarray(0, HEADER_BYTES));
	const samples = wav.subarray(HEADER_BYTES);
	header.writeUInt32LE(HEADER_BYTES - 8 + 2 * samples.length, 4);
	header.writeUInt32LE(2 * samples.length, HEADER_BYTES - 4);
	return new Blob([header, samples, samples], { type: 'audio/wav' });
}

/** Transcribes it, and shows the server's transcript. */
async function show(page: Page, { jobs, transcripts }: Client): Promise<string> {
	const { id } = await jobs.create(await speech(), { speakers: true });
	await jobs.wait(id);
	await jobs.delete(id);
	const newest = await transcripts.list().next();
	const kept = newest.done === true ? '' : newest.value.id;
	await page.evaluate(fragment => void (location.hash = fragment), `#recordings/server%3A${kept}`);
	await expect(page.getByText('Kept by the server.')).toBeVisible();
	return kept;
}

test('a speaker is remembered by keyboard, named in the next recording, and forgotten on a phone', async ({
	page,
}) => {
	const server = await Auricle.start({ AURICLE_KEEP_TRANSCRIPTS: '1', AURICLE_KNOWN_VOICES: '*' });
	try {
		const url = `http://127.0.0.1:${server.port}/`;
		const client = new Client({ url, apiKey: API_KEY });
		await page.addInitScript(key => sessionStorage.setItem('auricle.key', key), API_KEY);
		await page.goto(`${url}#recordings`);
		await show(page, client);
		const chip = page.locator('.speakers .speaker');
		await chip.focus();
		await page.keyboard.press('Enter');
		const dialog = page.getByRole('dialog');
		await page.keyboard.press('Tab');
		const remember = dialog.getByLabel('Remember this voice');
		await expect(remember).toBeFocused();
		await expect(remember).toHaveAccessibleDescription(/biometric data.*agreed/);
		await page.keyboard.press('Space');
		await expectNobodyShutOut(page);
		await page.keyboard.press('Enter'); // no voice is called "Speaker 1"
		const name = dialog.getByLabel('Name');
		await expect(name).toBeFocused();
		await name.selectText();
		await page.keyboard.type(NAME);
		await page.keyboard.press('Enter');
		await expect(page.getByText('Known voices (1)')).toBeVisible();
		await expect(chip).toContainText(NAME);

		const kept = await show(page, client);
		await expect(chip).toContainText(NAME);
		await page.setViewportSize(PHONE);
		await page.getByRole('button', { name: '中文' }).click();
		await page.getByText('已知的声音（1）').click();
		expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(PHONE.width);
		await expectNobodyShutOut(page);
		page.once('dialog', question => void question.accept());
		const remove = page.getByRole('button', { name: `删除 ${NAME} 的声音` });
		expect((await remove.boundingBox())?.height).toBeLessThan(40); // its text has one line
		await remove.focus();
		await page.keyboard.press('Enter');
		await expect(page.getByText('已知的声音')).toBeHidden();
		await expect(chip).toContainText('发言人 1');
		await expect(page.locator('h2.recording-title')).toBeFocused();
		expect((await client.transcripts.get(kept)).speakers).toEqual([{ number: 0, name: null }]);
	} finally {
		await server.stop();
	}
});

test('without known voices, no speaker can be remembered', async ({ page }) => {
	const server = await Auricle.start({ AURICLE_KEEP_TRANSCRIPTS: '1' });
	try {
		const url = `http://127.0.0.1:${server.port}/`;
		await page.addInitScript(key => sessionStorage.setItem('auricle.key', key), API_KEY);
		await page.goto(`${url}#recordings`);
		await show(page, new Client({ url, apiKey: API_KEY }));
		await page.locator('.speakers .speaker').click();
		await expect(page.getByRole('dialog').getByLabel('Name')).toBeVisible();
		await expect(page.getByLabel('Remember this voice')).toBeHidden();
		await expect(page.getByText('Known voices')).toBeHidden();
	} finally {
		await server.stop();
	}
});
