/** Deleted transcripts: they can be taken back for 10 s, and are gone then, here and on the server. */

import type { Locator, Page } from '@playwright/test';
import { Client } from '../src/index.js';
import { API_KEY, Auricle } from './auricle.js';
import { drop, expectNobodyShutOut, keep, test, waitLongToDelete } from './captions-page.js';
import { expect } from './fixtures.js';

const rows = (page: Page): Locator => page.locator('.column-list .row');
const undo = (page: Page, name: string): Locator =>
	page.getByRole('button', { name: `Undo the deletion of “${name}”` });
const go = (page: Page, fragment: string): Promise<void> =>
	page.evaluate(fragment => void (location.hash = fragment), fragment);

const talk = (id: string): object => ({
	id,
	kind: 'recording',
	name: `${id}.mp3`,
	changedAt: Date.now(),
	lines: [{ startSeconds: 0, endSeconds: 2, text: `This is ${id}.`, language: 'en' }],
	job: null,
});

/** Opens a transcript and deletes it. */
async function remove(page: Page, id: string): Promise<void> {
	await go(page, `#recordings/${id}`);
	await page.getByRole('button', { name: 'Delete', exact: true }).click();
	await expect(undo(page, `${id}.mp3`)).toBeFocused();
}

/** Returns the IDs in the database of the page's origin. */
const storedIds = (page: Page): Promise<unknown> =>
	page.evaluate(async () => {
		const database = await new Promise<IDBDatabase>(resolve => {
			const request = indexedDB.open('auricle', 1);
			request.onsuccess = () => resolve(request.result);
		});
		const keys = database.transaction('transcripts').objectStore('transcripts').getAllKeys();
		await new Promise(resolve => (keys.onsuccess = resolve));
		database.close();
		return keys.result;
	});

test('several deletions in a row are taken back one by one, and the others are carried out', async ({
	captions: page,
}) => {
	await waitLongToDelete(page);
	await keep(page, talk('a'), talk('b'), talk('c'));
	await go(page, '#recordings');
	for (const id of ['a', 'b', 'c']) {
		await remove(page, id);
	}
	await expect(rows(page)).toHaveCount(0);
	await expectNobodyShutOut(page);
	await page.setViewportSize({ width: 320, height: 568 });
	expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
	await undo(page, 'b.mp3').press('Enter');
	await expect(page.getByRole('heading', { name: 'b.mp3' })).toBeVisible();
	await expect(page.locator('.sentence')).toHaveText('This is b.');
	await page.setViewportSize({ width: 1200, height: 750 });
	await go(page, '#recordings/a');
	await expect(page.getByText('This transcript is not in this browser.')).toBeVisible();
	await page.reload();
	await expect(rows(page)).toHaveText(/b\.mp3/);
	await expect.poll(() => storedIds(page)).toEqual(['b']);
});

test('a deletion is carried out after 10 s', { tag: '@live' }, async ({ captions: page }) => {
	await keep(page, talk('a'), talk('b'));
	await go(page, '#recordings');
	await remove(page, 'a');
	expect(await storedIds(page)).toEqual(['a', 'b']);
	await expect.poll(() => storedIds(page)).toEqual(['b']);
	await expect(undo(page, 'a.mp3')).toHaveCount(0);
	await expect(page.getByRole('link', { name: 'New transcription' })).toBeFocused();
	page.once('dialog', dialog => void dialog.accept());
	await page.getByRole('button', { name: 'Delete all' }).click();
	await page.getByRole('button', { name: 'Undo the deletion of all' }).click();
	await expect(rows(page)).toHaveText(/b\.mp3/);
});

test('captions that wait for their deletion are not offered in Live', async ({ captions: page }) => {
	await waitLongToDelete(page);
	await keep(page, { ...talk('a'), kind: 'captions' });
	await expect(page.getByRole('button', { name: 'Show them again' })).toBeVisible();
	await go(page, '#recordings');
	await remove(page, 'a');
	await page.getByRole('link', { name: 'Live' }).click();
	await expect(page.getByRole('button', { name: 'Show them again' })).toBeHidden();
	await undo(page, 'a.mp3').click();
	await expect(page.getByRole('heading', { name: 'a.mp3' })).toBeVisible();
});

test(
	'closing the page deletes at once, on the server, too; a server that is away keeps its transcript',
	{ tag: '@live' },
	async ({ context, page }) => {
		const server = await Auricle.start({ AURICLE_KEEP_TRANSCRIPTS: '1' });
		try {
			const url = `http://127.0.0.1:${server.port}/`;
			const { transcripts } = new Client({ url, apiKey: API_KEY });
			const isGone = async (): Promise<boolean> => (await transcripts.list().next()).done === true;
			await context.addInitScript(key => sessionStorage.setItem('auricle.key', key), API_KEY);
			await page.goto(`${url}#recordings`);
			await drop(page, 'short.wav');
			await expect(page.getByText('The server keeps this transcript, too.')).toBeVisible();
			await context.setOffline(true);
			await page.getByRole('button', { name: 'Delete', exact: true }).click();
			await expect(undo(page, 'short.wav')).toHaveCount(0);
			await expect(page.locator('#notice')).toContainText('can’t be reached');
			await expect(rows(page)).toHaveText(/short\.wav/);
			await context.setOffline(false);
			expect(await isGone()).toBe(false);

			await rows(page).click();
			await page.getByRole('button', { name: 'Delete', exact: true }).click();
			await expect(undo(page, 'short.wav')).toBeFocused();
			await page.close({ runBeforeUnload: true });
			await expect.poll(isGone).toBe(true);
			const next = await context.newPage();
			await next.goto(url);
			await expect.poll(() => storedIds(next)).toEqual([]);
		} finally {
			await server.stop();
		}
	},
);
