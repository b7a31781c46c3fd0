import { defineConfig } from 'vitest/config';

// gate/running.py counts tests by this file.
const report = process.env['VITEST_JUNIT_OUTPUT_NAME'];

export default defineConfig({
	test: {
		include: ['test/**/*.test.ts'],
		reporters: report ? ['default', ['junit', { outputFile: report }]] : ['default'],
	},
});
