// Obsidian's plug-in Whisper, from a checkout, with a host that has one open note; prints what it inserts.
// Comes after bundled.mjs.
import { readFileSync } from 'node:fs';

const [checkout, url, key, path] = process.argv.slice(2);
const { AudioHandler, DEFAULT_SETTINGS } = await bundled(
	checkout,
	`export { AudioHandler } from './src/AudioHandler.ts';
	export { DEFAULT_SETTINGS } from './src/SettingsManager.ts';`,
	{
		main: 'export default class {}',
		obsidian: 'export class MarkdownView {} export class Notice { constructor(text) { console.error(text); } }',
	},
);

let inserted = '';
const editor = {
	getCursor: () => ({ line: 0, ch: 0 }),
	replaceRange: text => { inserted += text; },
	setCursor: () => undefined,
};
const plugin = {
	app: { vault: {}, workspace: { getActiveViewOfType: () => ({ editor }) } },
	settings: { ...DEFAULT_SETTINGS, apiUrl: url, apiKey: key, saveAudioFile: false, createNoteFile: false },
};
await new AudioHandler(plugin).sendAudioData(new Blob([readFileSync(path)], { type: 'audio/webm' }), 'now.webm');
console.log(inserted);
