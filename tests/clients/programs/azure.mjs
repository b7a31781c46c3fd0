// Files and Realtime through Azure OpenAI's client for Node; prints JSON.
// Arguments: the package's name, the server's URLs for files and Realtime, key, clip of 16 kHz.
import { createReadStream, readFileSync } from 'node:fs';

const [name, endpoint, liveEndpoint, apiKey, clip] = process.argv.slice(2);
const { AzureOpenAI, default: OpenAI } = await import(name);
const { OpenAIRealtimeWS } = await import(`${name}/realtime/ws`);

const apiVersion = '2025-03-01-preview';
const azure = new AzureOpenAI({ endpoint, apiKey, apiVersion, maxRetries: 0 });
const deployed = new AzureOpenAI({ endpoint, apiKey, apiVersion, deployment: 'my-whisper' });
const v1 = new OpenAI({ baseURL: `${endpoint}/openai/v1`, apiKey });
const file = () => createReadStream(clip);

const live = async () => {
	const client = new AzureOpenAI({ endpoint: liveEndpoint, apiKey, apiVersion });
	const socket = await OpenAIRealtimeWS.azure(client, { deploymentName: 'my-whisper' });
	return new Promise((resolve, reject) => {
		socket.on('error', reject);
		socket.socket.on('open', () => {
			const input = {
				format: { type: 'audio/pcm', rate: 16000 },
				transcription: { model: 'whisper-1', language: 'en' },
				turn_detection: null,
			};
			socket.send({ type: 'session.update', session: { type: 'transcription', audio: { input } } });
			const pcm = readFileSync(clip).subarray(44);
			for (let at = 0; at < pcm.length; at += 32000) {
				const audio = pcm.subarray(at, at + 32000).toString('base64');
				socket.send({ type: 'input_audio_buffer.append', audio });
			}
			socket.send({ type: 'input_audio_buffer.commit' });
		});
		socket.on('conversation.item.input_audio_transcription.completed', event => {
			resolve(event.transcript);
			socket.close();
		});
	});
};

const refused = async wrong => {
	const client = new AzureOpenAI({ endpoint, apiKey: wrong, apiVersion });
	try {
		await client.audio.transcriptions.create({ model: 'whisper-1', file: file() });
	} catch (error) {
		return [error.constructor.name, error.code];
	}
};

const texts = {
	AzureOpenAI: await azure.audio.transcriptions.create({ model: 'my-whisper', file: file() }),
	deployment: await deployed.audio.transcriptions.create({ model: '', file: file() }),
	translation: await azure.audio.translations.create({ model: 'whisper-1', file: file() }),
	'OpenAI at /openai/v1': await v1.audio.transcriptions.create({ model: 'whisper-1', file: file() }),
};
for (const way in texts) texts[way] = texts[way].text;
texts.realtime = await live();
const models = (await azure.models.list()).data.map(model => model.id);
console.log(JSON.stringify({ texts, models, 'wrong key': await refused('wrong') }));
