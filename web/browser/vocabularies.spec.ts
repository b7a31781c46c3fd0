/** Vocabularies: created, edited, used, and what words of transcripts are added to. */

import { readFile } from 'node:fs/promises';
import type { Locator, Page } from '@playwright/test';
import { Client, type Vocabularies } from '../src/index.js';
import { type Auricle, WORDS_KEY } from './auricle.js';
import { expectNobodyShutOut, keep, test as base } from './captions-page.js';
import { expect, isChromium } from './fixtures.js';

const test = base.extend<{ stored: Vocabularies }>({
	stored: async ({ server }, use) => {
		await use(await emptied(server));
		await emptied(server);
	},
});
test.use({ key: WORDS_KEY });

const go = (page: Page, fragment: string): Promise<void> =>
	page.evaluate(fragment => void (location.hash = fragment), fragment);
const button = (page: Page, name: string): Locator => page.getByRole('button', { name, exact: true });
const terms = (page: Page): Locator => page.getByRole('list', { name: 'Terms' }).getByRole('listitem');
const place = (page: Page): Locator => page.locator('#vocabularies');
const undo = (page: Page): Locator => place(page).getByRole('button', { name: /^Undo/ });

/** Deletes the vocabularies of the tests' key. */
async function emptied(server: Auricle): Promise<Vocabularies> {
	const { vocabularies } = new Client({ url: `http://127.0.0.1:${server.port}`, apiKey: WORDS_KEY });
	for (const { name } of await vocabularies.list()) {
		await vocabularies.delete(name);
	}
	return vocabularies;
}

test('a vocabulary is created, edited, saved as CSV, deleted and restored', async ({
	captions: page,
	stored,
}) => {
	await page.getByRole('link', { name: 'Words', exact: true }).click();
	await expect(place(page).getByRole('heading', { name: 'Names and words to expect' })).toBeVisible();
	await expect(page.getByLabel('Name')).toHaveValue('default');
	await expectNobodyShutOut(page);
	await page.getByLabel('Name').fill('team');
	await page.getByLabel('Terms', { exact: true }).fill('Zyntrix, Digique Plus\nAnna Łyszczyńska');
	await button(page, 'Create').click();
	await expect(terms(page)).toHaveText(['Zyntrix', 'Digique Plus', 'Anna Łyszczyńska']);
	await expect(place(page).getByRole('navigation')).toContainText('3 terms · default');

	await page
		.getByLabel('Terms to add')
		.fill('term,sounds_like,replaces\n"Ørsted, Inc",or sted,\nOK,,ok;okay\n');
	await button(page, 'Add').first().click();
	await expect(page.getByText('3 terms added.')).toBeVisible();
	await expect(terms(page)).toHaveText([
		'Zyntrix',
		'Digique Plus',
		'Anna Łyszczyńska',
		/^Ørsted, Incor sted$/,
	]);
	await expect(page.getByRole('list', { name: 'Replacements' })).toContainText('okay → OK');

	await terms(page).getByRole('button', { name: 'Zyntrix' }).click();
	await page.getByLabel('Sounds like').fill('sin tricks\nzin tricks');
	await expectNobodyShutOut(page);
	await button(page, 'Save').click();
	await expect(terms(page).first()).toContainText('sin tricks · zin tricks');
	await expect(terms(page).getByRole('button', { name: 'Zyntrix' })).toBeFocused();
	await terms(page).getByRole('button', { name: 'Digique' }).click();
	await button(page, 'Remove').click();
	await expect(terms(page)).toHaveCount(3);
	await expect(undo(page)).toBeFocused();
	await undo(page).press('Enter');
	await expect(terms(page)).toHaveCount(4);
	await button(page, 'Remove the replacement of ok').click();
	await expect(page.getByRole('list', { name: 'Replacements' }).getByRole('listitem')).toHaveCount(1);
	await page.getByLabel('Use it where no other').uncheck();
	await expect(place(page).getByRole('navigation')).not.toContainText('default');
	await expectNobodyShutOut(page);
	const { recentTerms, changedAt, ...before } = await stored.get('team');
	expect(before).toMatchObject({ isDefault: false, replacements: [{ from: 'okay', to: 'OK' }] });
	expect(before.terms[0]).toEqual({ term: 'Zyntrix', soundsLike: ['sin tricks', 'zin tricks'] });

	if (isChromium(page)) {
		const [saved] = await Promise.all([page.waitForEvent('download'), button(page, 'Download CSV').click()]);
		expect(saved.suggestedFilename()).toBe('team.csv');
		expect(await readFile(await saved.path(), 'utf8')).toContain('Zyntrix,sin tricks;zin tricks,');
	}
	await button(page, 'Delete').click();
	await expect(page.getByText('The vocabulary “team” is deleted.')).toBeVisible();
	expect(await stored.list()).toEqual([]);
	await expectNobodyShutOut(page);
	await undo(page).click();
	await expect(terms(page)).toHaveCount(4);
	expect(await stored.get('team')).toMatchObject(before);
	expect(recentTerms).toEqual([]);
	expect((await stored.get('team')).changedAt).toBeGreaterThan(changedAt);
});

test(
	'a vocabulary that is chosen for captions shows which terms were said',
	{ tag: '@live' },
	async ({ captions: page, stored }) => {
		await stored.store('names', { terms: ['zzz', 'the', 'country'] });
		await page.reload();
		await button(page, 'Options').click();
		await page.getByLabel('Vocabulary', { exact: true }).selectOption('names');
		await button(page, 'Start').click();
		await expect(page.getByLabel('Vocabulary', { exact: true })).toBeDisabled();
		await expect.poll(async () => (await stored.get('names')).recentTerms).not.toEqual([]);
		await button(page, 'Stop').click();
		await go(page, '#vocabularies/names');
		await expect(terms(page).filter({ hasText: /(once|times), this minute/ })).not.toHaveCount(0);
		await expect(terms(page).first()).toHaveText('zzz');
	},
);

test('words of a transcript are added to the default vocabulary', async ({ captions: page, stored }) => {
	await keep(page, {
		id: 'a',
		kind: 'recording',
		name: 'call.mp3',
		changedAt: Date.now(),
		lines: [
			{ startSeconds: 0, endSeconds: 4, text: 'We met Anna Marie, and sin tricks called.', language: 'en' },
		],
		job: null,
	});
	await go(page, '#recordings/a');
	const sentence = page.locator('.sentence');
	await expect(sentence).toBeVisible();
	await expect(page.getByRole('link', { name: 'Words', exact: true })).toBeVisible();
	await sentence.evaluate(element => {
		const node = element.firstChild as Text;
		getSelection()?.setBaseAndExtent(node, 7, node, 18); // Anna Marie,
	});
	await button(page, 'Add “Anna Marie” to the vocabulary').click();
	await expectNobodyShutOut(page);
	await page.getByLabel('Write it as').fill('Anne-Marie');
	await page.getByRole('dialog').getByRole('button', { name: 'Add' }).click();
	await expect(page.getByRole('link', { name: 'Show it' })).toBeFocused();

	await button(page, 'Edit text').click();
	await page.getByRole('textbox', { name: 'Text at 0:00' }).fill('We met Anna Marie, and Zyntrix called.');
	await page.keyboard.press('Enter');
	await button(page, 'Add “Zyntrix” to the vocabulary').click();
	await page.getByRole('dialog').getByRole('button', { name: 'Add' }).click();
	await expect(page.getByText('“Zyntrix” is in the vocabulary “default” now.')).toBeVisible();
	expect(await stored.get('default')).toMatchObject({
		isDefault: true,
		terms: [
			{ term: 'Anne-Marie', soundsLike: ['Anna Marie'] },
			{ term: 'Zyntrix', soundsLike: ['sin tricks'] },
		],
	});
	await page.getByRole('link', { name: 'Show it' }).click();
	await expect(terms(page)).toHaveCount(2);
});

test('vocabularies are edited on a phone, by keyboard', async ({ captions: page, stored }) => {
	await stored.store('team', { terms: Array.from({ length: 300 }, (_, index) => `Term ${index}`) });
	await page.setViewportSize({ width: 320, height: 568 });
	await go(page, '#vocabularies');
	await place(page).getByRole('link', { name: 'team' }).press('Enter');
	await expect(terms(page)).toHaveCount(200);
	expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
	await button(page, 'Show all 300').press('Enter');
	await expect(terms(page)).toHaveCount(300);
	await expect(terms(page).getByRole('button', { name: 'Term 200' })).toBeFocused();
	await page.getByLabel('Find a term').fill('term 299');
	await terms(page).getByRole('button').press('Enter');
	await page.keyboard.type('Zyntrix');
	await page.keyboard.press('Enter');
	await expect(page.getByText('No term contains this.')).toBeVisible();
	expect((await stored.get('team')).terms.at(-1)?.term).toBe('Zyntrix');
	await expectNobodyShutOut(page);
	await page.getByRole('link', { name: /All vocabularies/ }).press('Enter');
	await expect(place(page).getByRole('link', { name: 'team' })).toBeVisible();
});

test('a server without vocabularies offers none', async ({ captions: page }) => {
	await page.route('**/v1/models', async route => {
		const response = await route.fetch();
		const body = (await response.json()) as object;
		await route.fulfill({ response, json: { ...body, apis: ['native', 'openai'] } });
	});
	await page.route('**/v1/vocabularies', route =>
		route.fulfill({ status: 404, json: { error: { code: 'not_found', message: 'Not found.' } } }),
	);
	await page.reload();
	await expect(page.getByText('Nothing leaves this server')).toBeVisible();
	await expect(page.getByRole('link', { name: 'Words', exact: true })).toBeHidden();
	await go(page, '#vocabularies');
	await expect(page.getByText('This server has no vocabularies.')).toBeVisible();
	await expectNobodyShutOut(page);
});

test.describe('without a key', () => {
	test.use({ key: null });

	test('the vocabularies appear once there is one', async ({ captions: page, stored }) => {
		await stored.store('team', { terms: ['Zyntrix'] });
		await go(page, '#vocabularies/team');
		await page.getByLabel('Key for this server').fill(WORDS_KEY);
		await button(page, 'Use this key').click();
		await expect(terms(page)).toHaveText(['Zyntrix']);
		await expect(page.getByRole('link', { name: 'Words', exact: true })).toHaveAttribute(
			'aria-current',
			'page',
		);
	});
});
