// Streams a clip to Flux with Deepgram's package for Node; prints every message as JSON.
// Arguments: address, key and clip.
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { DeepgramClient } from '@deepgram/sdk';

const [address, apiKey, clip] = process.argv.slice(2);
const environment = { base: `http://${address}`, production: `ws://${address}` };
const client = new DeepgramClient({ apiKey, environment });

const told = [];
const connection = await client.listen.v2.connect({
	model: 'flux-general-multi',
	encoding: 'linear16',
	sample_rate: 16000,
	eager_eot_threshold: 0.4,
	language_hint: ['en', 'de'],
});
connection.on('message', message => told.push(message));
const closed = new Promise(resolve => connection.on('close', event => resolve(event.code)));
const until = async kind => {
	while (!told.some(message => message.type === kind)) await setTimeout(10);
};
connection.connect();
await connection.waitForOpen();
await until('Connected');
connection.sendConfigure({ type: 'Configure', thresholds: { eot_timeout_ms: 2000 } });
await until('ConfigureSuccess');
const samples = readFileSync(clip).subarray(44);
for (let at = 0; at < samples.length; at += 2560) {
	connection.sendMedia(samples.subarray(at, at + 2560));
	await setTimeout(80);
}
connection.sendCloseStream({ type: 'CloseStream' });
console.log(JSON.stringify({ told, closedWith: await closed }));
