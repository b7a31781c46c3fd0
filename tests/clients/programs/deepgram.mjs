// Finalize and KeepAlive without and with speech, and errors, as Deepgram's package for Node has them.
// Arguments: address and key; prints JSON.
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { DeepgramClient } from '@deepgram/sdk';

const [address, apiKey] = process.argv.slice(2);
const environment = { base: `http://${address}`, production: `ws://${address}` };
const client = new DeepgramClient({ apiKey, environment });

const told = [];
const connection = await client.listen.v1.connect({
	model: 'nova-3',
	encoding: 'opus',
	sample_rate: 48000,
	smart_format: 'true',
	interim_results: 'true',
});
connection.on('message', message => told.push(message));
const closed = new Promise(resolve => connection.on('close', event => resolve(event.code)));
const until = async number => {
	while (told.filter(message => message.from_finalize).length < number) await setTimeout(10);
};
connection.connect();
await connection.waitForOpen();
connection.sendKeepAlive({ type: 'KeepAlive' });
connection.sendFinalize({ type: 'Finalize' });
await until(1);
// Packets of Opus, each behind its length.
const packets = readFileSync('testdata/fellow.opus-packets');
for (let at = 0; at < packets.length; ) {
	const end = at + 2 + packets.readUInt16LE(at);
	connection.sendMedia(packets.subarray(at + 2, end));
	at = end;
	await setTimeout(20);
}
connection.sendFinalize({ type: 'Finalize' });
await until(2);
connection.sendCloseStream({ type: 'CloseStream' });
const seen = { told, closedWith: await closed, raised: {} };

const transcribe = (who, content, query) =>
	who.listen.v1.media.transcribeFile(content, query, { maxRetries: 0 });
const raises = async (name, work) => {
	try {
		await work();
		seen.raised[name] = null;
	} catch (error) {
		seen.raised[name] = [error.constructor.name, error.statusCode, error.body?.err_code];
	}
};
const stranger = new DeepgramClient({ apiKey: 'nobody', environment });
const clip = readFileSync('testdata/short.wav');
await raises('wrong key', () => transcribe(stranger, clip, {}));
await raises('wrong language', () => transcribe(client, clip, { language: 'klingon' }));
await raises('not audio', () => transcribe(client, Buffer.alloc(9999, 'x'), {}));
await raises('url', () => client.listen.v1.media.transcribeUrl({ url: 'http://localhost/' }));
console.log(JSON.stringify(seen));
