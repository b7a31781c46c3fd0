// Kinds of answers and errors, as OpenAI's package for Node gives them; prints JSON.
import { createReadStream, readFileSync } from 'node:fs';

const [name, baseURL, apiKey] = process.argv.slice(2);
const { default: OpenAI, toFile } = await import(name);
const client = new OpenAI({ baseURL, apiKey });
const { transcriptions, translations } = client.audio;
const clip = name => createReadStream(`testdata/${name}`);

const seen = {};
seen.json = await transcriptions.create({
	model: 'gpt-transcribe',
	file: clip('fellow.wav'),
	languages: ['en'],
	keywords: ['Americans'],
	include: ['logprobs'],
	chunking_strategy: { type: 'server_vad', threshold: 0.5 },
});
seen.text = await transcriptions.create({
	model: 'whisper-1',
	file: clip('fellow.ogg'),
	response_format: 'text',
});
seen.vtt = await transcriptions.create({
	model: 'whisper-1',
	file: clip('pair.wav'),
	response_format: 'vtt',
});
seen.english = await translations.create({ model: 'whisper-1', file: clip('pair.wav') });
seen.models = (await client.models.list()).data.map(model => model.id);

seen.raised = {};
const raises = async (way, work) => {
	try {
		await work();
		seen.raised[way] = null;
	} catch (error) {
		seen.raised[way] = [error.constructor.name, error.status, error.code, error.param];
	}
};
const file = await toFile(readFileSync('testdata/short.wav'), 'short.wav');
const stranger = client.withOptions({ apiKey: 'sk-nobody' });
await raises('wrong key', () =>
	stranger.audio.transcriptions.create({ model: 'whisper-1', file }),
);
await raises('wrong type', () =>
	transcriptions.create({ model: 'whisper-1', file, temperature: 'warm' }),
);
await raises('not audio', async () =>
	transcriptions.create({ model: 'whisper-1', file: await toFile(Buffer.alloc(9999, 'x'), 'x') }),
);
console.log(JSON.stringify(seen));
