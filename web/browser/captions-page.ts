/** The captions page in a test: with a key, and watched; and what tests do with it. */

import { readFile } from 'node:fs/promises';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { API_KEY } from './auricle.js';
import { TESTDATA } from './clip.js';
import { errorsOf, expect, isChromium, test as base } from './fixtures.js';

interface Own {
	/** The page, with a key; whatever it asks elsewhere, and whatever its policy forbids, fails the test. */
	readonly captions: Page;
	/** Whether the page has a key. */
	readonly key: string | null;
}

export const test = base.extend<Own>({
	key: [API_KEY, { option: true }],
	captions: async ({ page, gateway, key }, use) => {
		const problems = await watched(page, gateway.url);
		await page.addInitScript(key => {
			const hasStorage = location.protocol === 'http:'; // an empty page has none
			if (hasStorage && key !== null && sessionStorage.getItem('auricle.key') === null) {
				sessionStorage.setItem('auricle.key', key);
			}
		}, key);
		await page.goto(gateway.url);
		await use(page);
		expect(problems).toEqual([]);
	},
});

/** Returns what goes wrong on a page from now on: errors, forbidden things, requests that leave its origin. */
export async function watched(page: Page, url: string): Promise<string[]> {
	const problems = errorsOf(page);
	const { host } = new URL(url);
	page.on('console', message => {
		if (/policy|deprecat/i.test(message.text())) {
			problems.push(message.text());
		}
	});
	page.context().on('request', request => {
		const asked = new URL(request.url());
		if (asked.host !== host && asked.protocol !== 'blob:') {
			problems.push(request.url());
		}
	});
	await page.exposeFunction('onViolation', (what: string) => problems.push(what));
	await page.addInitScript(() => {
		document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
			(globalThis as unknown as { onViolation(what: string): void }).onViolation(
				`${violatedDirective} forbids ${blockedURI}`,
			);
		});
	});
	return problems;
}

/** Saves the captions in a format of the menu; returns the file. */
export async function saved(page: Page, format: string): Promise<[name: string, text: string]> {
	test.skip(!isChromium(page), 'Firefox does not report downloads to tests');
	const captions = page.locator('#captions');
	await captions.locator('summary', { hasText: 'Export' }).click();
	const [download] = await Promise.all([
		page.waitForEvent('download'),
		captions.getByRole('button', { name: format, exact: true }).click(),
	]);
	return [download.suggestedFilename(), await readFile(await download.path(), 'utf8')];
}

/** Expects a page without barriers, light and dark; in Chromium only, as the rules judge the same document. */
export async function expectNobodyShutOut(page: Page): Promise<void> {
	if (!isChromium(page)) {
		return;
	}
	for (const colorScheme of ['light', 'dark'] as const) {
		await page.emulateMedia({ colorScheme });
		const { violations } = await new AxeBuilder({ page }).analyze();
		expect(violations).toEqual([]);
	}
}

/** Drops a file of testdata, or bytes, onto the page. */
export async function drop(page: Page, name: string, content?: Buffer): Promise<void> {
	const bytes = content ?? (await readFile(new URL(name, TESTDATA)));
	const dropped = await page.evaluateHandle(
		({ name, base64 }) => {
			const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
			const dropped = new DataTransfer();
			dropped.items.add(new File([bytes], name));
			return dropped;
		},
		{ name, base64: bytes.toString('base64') },
	);
	await page.dispatchEvent('main', 'dragover', { dataTransfer: dropped });
	await page.dispatchEvent('main', 'drop', { dataTransfer: dropped });
}

/** Writes records into the database of the page's origin, and loads the page again. */
export async function keep(page: Page, ...records: object[]): Promise<void> {
	await page.evaluate(async records => {
		const database = await new Promise<IDBDatabase>((resolve, reject) => {
			const request = indexedDB.open('auricle', 1);
			request.onsuccess = () => resolve(request.result);
			request.onerror = () => reject(new Error('no database'));
		});
		const transaction = database.transaction('transcripts', 'readwrite');
		records.forEach(record => transaction.objectStore('transcripts').put(record));
		await new Promise(resolve => (transaction.oncomplete = resolve));
		database.close();
	}, records);
	await page.reload();
}

/** Lets the page wait for minutes in the place of 10 s, from the next load on: a slow machine needs more time to undo. */
export async function waitLongToDelete(page: Page): Promise<void> {
	await page.addInitScript(() => {
		const wait = setTimeout;
		const patient = (work: () => void, milliseconds = 0): unknown =>
			wait(work, milliseconds === 10_000 ? 600_000 : milliseconds);
		globalThis.setTimeout = patient as typeof setTimeout;
	});
}
