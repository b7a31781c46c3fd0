// Speaks a clip to LiveKit's Flux plugin for Node; prints what it says as JSON.
// Runs behind the page's snippet, which makes `stt`; the argument is the clip.
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { AudioFrame } from '@livekit/rtc-node';

const samples = readFileSync(process.argv[2]).subarray(44);
const told = [];
const stream = stt.stream();
const listening = (async () => {
	for await (const event of stream) {
		told.push([event.type, event.alternatives?.[0]?.text ?? '']);
	}
})();
for (let at = 0; at + 640 <= samples.length; at += 640) {
	const frame = new Int16Array(320);
	Buffer.from(frame.buffer).set(samples.subarray(at, at + 640));
	stream.pushFrame(new AudioFrame(frame, 16000, 1, 320));
	await setTimeout(20);
}
stream.endInput();
await listening;
console.log(JSON.stringify(told));
process.exit(0); // the library keeps timers
