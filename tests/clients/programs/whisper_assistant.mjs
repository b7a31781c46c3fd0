// Visual Studio Code's extension Whisper Assistant, from a checkout, with a host that has its settings; prints JSON.
// Comes after bundled.mjs.
import { tmpdir } from 'node:os';

const [checkout, url, key, path] = process.argv.slice(2);
globalThis.settings = {
	apiKey: key,
	apiProvider: 'localhost',
	customEndpoint: url,
	customRecordingCommand: `cp '${path}' $AUDIO_FILE`,
};
const { SpeechTranscription } = await bundled(
	checkout,
	"export { default as SpeechTranscription } from './src/speech-transcription.ts';",
	{
		vscode: `export const workspace = { getConfiguration: () => ({ get: name => globalThis.settings[name] }) };
			export const window = { showErrorMessage: text => console.error(text) };`,
	},
);

const folder = mkdtempSync(join(tmpdir(), 'whisper-assistant-'));
const dictation = new SpeechTranscription(folder, { appendLine: line => console.error(line) });
dictation.startRecording();
await new Promise(resolve => dictation.recordingProcess.on('exit', resolve));
const { text, segments, language } = await dictation.transcribeRecording();
rmSync(folder, { recursive: true });
console.log(JSON.stringify({ text, segments: segments.length, language }));
process.exit(); // it still waits for its recorder
