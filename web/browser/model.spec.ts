/** The chooser of the model, with servers that have one model and several. */

import { API_KEY, Auricle } from './auricle.js';
import { drop } from './captions-page.js';
import { expect, test } from './fixtures.js';

const SCRIPTED = 'tests.support.scripted_engine';
const LIMITED = 'tests.support.limited_engine'; // German only

test('one model needs no chooser', async ({ page, server }) => {
	const listed = page.waitForResponse('**/v1/models');
	await page.goto(`http://127.0.0.1:${server.port}/`);
	await listed;
	await page.getByRole('button', { name: 'Options' }).click();
	await expect(page.getByLabel('Model')).toBeHidden();
	await expect(page.locator('#data-flow')).toBeHidden(); // without a key, the server has not said it
	await expect(page.getByLabel('Spoken language')).toBeVisible();
});

test('the chosen model transcribes, and only its languages are offered', async ({ page }) => {
	const server = await Auricle.start({ AURICLE_MODELS: `words=${SCRIPTED},german=${LIMITED}` });
	try {
		await page.addInitScript(key => sessionStorage.setItem('auricle.key', key), API_KEY);
		await page.goto(`http://127.0.0.1:${server.port}/`);
		await expect(page.getByText('Nothing leaves this server')).toBeVisible();
		await page.getByRole('button', { name: 'Options' }).click();
		const model = page.locator('#live').getByLabel('Model');
		await expect(model).toBeVisible();
		await expect(model.locator('option')).toHaveText(['words (default)', 'german']);
		const spoken = page.locator('#live').getByLabel('Spoken language');
		await spoken.selectOption('French');
		await model.selectOption('german');
		await expect(spoken.locator('option')).toHaveText(['Automatic', 'German']);
		await expect(spoken).toHaveValue(''); // French is not offered
		const uploaded = page.waitForRequest(/\/utterance/);
		await drop(page, 'short.wav');
		expect(new URL((await uploaded).url()).searchParams.get('model')).toBe('german');
		await page.getByRole('link', { name: 'Live' }).click();
		await page.reload();
		await page.getByRole('button', { name: 'Options' }).click();
		await expect(model).toHaveValue('german');
		await page.getByRole('button', { name: '中文' }).click();
		const chinese = page.locator('#live').getByLabel('模型');
		await expect(chinese.locator('option')).toHaveText(['words（默认）', 'german']);
		await expect(chinese).toHaveValue('german');
	} finally {
		await server.stop();
	}
});
