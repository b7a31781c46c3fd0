// A file and live speech with version 4 of Deepgram's package for Node; prints both texts as JSON.
// Arguments: address, key and clip.
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { createClient, LiveTranscriptionEvents } from 'deepgram-sdk-4';

const [address, key, clip] = process.argv.slice(2);
const client = createClient(key, { global: { url: `http://${address}` } });
const options = { model: 'nova-3', smart_format: true };

const { result, error } = await client.listen.prerecorded.transcribeFile(readFileSync(clip), options);
if (error) throw error;
const finals = [];
const connection = client.listen.live({ ...options, encoding: 'linear16', sample_rate: 16000 });
connection.on(LiveTranscriptionEvents.Transcript, message => {
	if (message.is_final) finals.push(message.channel.alternatives[0].transcript);
});
const closed = new Promise(resolve => connection.on(LiveTranscriptionEvents.Close, resolve));
await new Promise(resolve => connection.on(LiveTranscriptionEvents.Open, resolve));
const samples = readFileSync(clip).subarray(44);
for (let at = 0; at < samples.length; at += 3200) {
	connection.send(samples.subarray(at, at + 3200));
	await setTimeout(20);
}
connection.requestClose();
await closed;
const file = result.results.channels[0].alternatives[0].transcript;
console.log(JSON.stringify({ file, live: finals.join(' ') }));
