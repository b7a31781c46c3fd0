/** The same tests in Firefox, as its makers ship it: `make test-firefox`. */

import { fileURLToPath } from 'node:url';
import { defineConfig } from '@playwright/test';
import shared from './playwright.config.js';

export default defineConfig(shared, {
	outputDir: 'test-results/firefox',
	testIgnore: /(documentation|no-microphone)\.spec/, // the site of another project, and Chromium's switches
	use: {
		browserName: 'firefox',
		channel: 'moz-firefox', // driven by WebDriver BiDi
		launchOptions: {
			executablePath: fileURLToPath(new URL('firefox.js', import.meta.url)),
			firefoxUserPrefs: {
				'media.cubeb.force_mock_context': true, // no machine needs a loudspeaker
				'media.autoplay.default': 0, // also on the tests' own pages, where nobody clicks
			},
		},
	},
});
