import { defineConfig } from '@playwright/test';
import { FAKE_MICROPHONE, writeFakeMicrophone } from './browser/clip.js';

writeFakeMicrophone();

export default defineConfig({
	testDir: 'browser',
	outputDir: 'test-results/browser',
	workers: 2, // each with a server of its own; most tests listen in real time, and leave a core idle
	timeout: 240_000,
	expect: { timeout: 60_000 }, // a busy machine is slow
	forbidOnly: true,
	// No `retries`: the gate tries those with the tag @live again, with --last-failed, and reports it.
	reporter: process.env['PLAYWRIGHT_JUNIT_OUTPUT_NAME'] ? [['list'], ['junit']] : [['list']],
	use: {
		browserName: 'chromium',
		launchOptions: {
			executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
			args: [
				'--no-sandbox',
				'--disable-gpu',
				'--use-fake-ui-for-media-stream',
				'--use-fake-device-for-media-stream',
				`--use-file-for-fake-audio-capture=${FAKE_MICROPHONE}%noloop`,
			],
		},
	},
});
