/** Connections break and servers forget, at random places: is every word there, once? */

import { expect, test } from 'vitest';
import { FRAME_SAMPLES, SAMPLE_RATE_HZ } from '../src/audio-format.js';
import { DEFAULT_RULES } from '../src/backoff.js';
import { ClientSession } from '../src/client-session.js';

const SECONDS = 60;
const FRAMES_A_SECOND = SAMPLE_RATE_HZ / FRAME_SAMPLES;
const RULES = { ...DEFAULT_RULES, patienceSeconds: Infinity, maxDelaySeconds: 1 }; // else speech gets too old

/** Returns numbers of 0 to 1 that look random and are the same each time (mulberry32). */
function dice(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

/** A session in which each second is an utterance, and its final is what its frames hold. */
class FakeSession {
	readonly heard = new Map<number, number>(); // the first sample of each frame by the frame's place
	readonly finals: string[] = [];
	received: number;
	safe: number;

	constructor(
		readonly name: string,
		startSample: number,
		safeSample: number,
	) {
		this.received = startSample;
		this.safe = safeSample;
	}

	take(position: number, samples: Int16Array): void {
		expect(position).toBeLessThanOrEqual(this.received); // else audio is missing
		for (let at = 0; at < samples.length; at += FRAME_SAMPLES) {
			this.heard.set((position + at) / FRAME_SAMPLES, samples[at] ?? NaN);
		}
		this.received = Math.max(this.received, position + samples.length);
	}

	/** Returns what is to be told now. */
	tell(isStopped: boolean): string[] {
		while (this.safe + SAMPLE_RATE_HZ <= this.received) {
			const first = this.safe / FRAME_SAMPLES;
			const frames = Array.from({ length: FRAMES_A_SECOND }, (_, index) => this.heard.get(first + index));
			this.safe += SAMPLE_RATE_HZ;
			const id = this.finals.length + 1;
			this.finals.push(
				JSON.stringify({
					type: 'final',
					id,
					utterance: id,
					text: frames.join(' '),
					start_s: this.safe / SAMPLE_RATE_HZ - 1,
					end_s: this.safe / SAMPLE_RATE_HZ,
					latency_ms: 1,
					revised: false,
				}),
			);
		}
		const marks = JSON.stringify({ type: 'progress', received: this.received, safe: this.safe });
		const closed = JSON.stringify({
			type: 'closed',
			reason: 'stop',
			audio_s: 0,
			packets: 0,
			lost_packets: 0,
			decode_errors: 0,
		});
		return [marks, ...(isStopped ? [closed] : [])];
	}
}

/** A server that holds at most one session, and forgets it when it is told to. */
class FakeServer {
	session: FakeSession | null = null;
	sessions = 0;
	#query: Readonly<Record<string, string>> = {};
	#told = 0; // finals on this connection
	#isStopped = false;

	connect(query: Readonly<Record<string, string>>): void {
		this.#query = query;
		this.#isStopped = false;
	}

	/** Takes a message; returns the answer. */
	take(data: string | Uint8Array<ArrayBuffer>): string[] {
		if (typeof data !== 'string') {
			const position = Number(new DataView(data.buffer).getBigUint64(0, true));
			this.#here.take(position, new Int16Array(data.buffer.slice(8)));
			return this.#tell();
		}
		const command = JSON.parse(data) as Record<string, string | number>;
		switch (command['type']) {
			case 'start':
				return this.#begin(command, null);
			case 'resume':
				return this.#begin(this.#query, command);
			case 'stop':
				this.#isStopped = true;
				return this.#tell();
			default:
				return [];
		}
	}

	get #here(): FakeSession {
		if (this.session === null) throw new Error('there is no session');
		return this.session;
	}

	#begin(
		asked: Readonly<Record<string, string | number>>,
		resume: Readonly<Record<string, string | number>> | null,
	): string[] {
		const resumed = resume !== null && this.session?.name === resume['session'];
		if (!resumed) {
			this.sessions++;
			this.session = new FakeSession(
				String(this.sessions),
				Number(asked['start_sample'] ?? 0),
				Number(asked['safe_sample'] ?? 0),
			);
		}
		this.#told = resumed ? Number(resume['last_result']) : 0;
		const { name, received, safe } = this.#here;
		const ready = { type: 'ready', session: name, secret: 's', resumed, resumable: true, received, safe };
		return [JSON.stringify(ready), ...this.#tell()];
	}

	#tell(): string[] {
		const rest = this.#here.tell(this.#isStopped);
		const finals = this.#here.finals.slice(this.#told);
		this.#told += finals.length;
		return [...finals, ...rest];
	}
}

test.each(Array.from({ length: 12 }, (_, seed) => seed))(
	'delivers every word exactly once (seed %i)',
	seed => {
		const random = dice(seed);
		const live = new ClientSession(seed % 2 ? { prompt: 'Of birds.' } : {}, 'pcm16', RULES, random);
		const server = new FakeServer();
		const finals: { id: number; text: string }[] = [];
		const connection = { isOpen: false };
		let frame = 0;
		let breaks = 0;

		const act = (now: number): void => {
			for (let action = live.poll(now); action !== null; action = live.poll(now)) {
				if (action.kind === 'drop') {
					connection.isOpen = false;
				} else if (action.kind === 'connect') {
					if (random() < 0.2) {
						live.refused({ cause: 'busy', message: 'Full.', retryAfterSeconds: 1 }, now);
						continue;
					}
					server.connect(action.query);
					live.opened(now);
					connection.isOpen = true;
				} else {
					for (const answer of server.take(action.data)) {
						if (random() < 0.02) {
							breaks++;
							connection.isOpen = false; // this answer, and all after it, are lost with the connection
							live.lost(1006, '', now);
							break;
						}
						live.received(answer, now);
					}
					if (!connection.isOpen) {
						break;
					}
				}
			}
			for (const event of live.takeEvents()) {
				if (event.type === 'final') {
					finals.push({ id: event.id, text: event.text });
				}
			}
		};

		for (let now = 0; !live.isOver && now < 10_000; now += 0.02) {
			if (frame < SECONDS * FRAMES_A_SECOND) {
				live.append(new Int16Array(FRAME_SAMPLES).fill(frame++), null);
			} else {
				live.finish();
			}
			if (random() < 0.002) {
				server.session = null; // it was killed
				if (connection.isOpen) {
					connection.isOpen = false;
					live.lost(1006, '', now);
				}
			}
			act(now);
		}

		expect(live.failure).toBeNull();
		expect(finals.map(final => final.id)).toEqual(Array.from({ length: SECONDS }, (_, index) => index + 1));
		const said = Array.from({ length: SECONDS * FRAMES_A_SECOND }, (_, index) => index).join(' ');
		expect(finals.map(final => final.text).join(' ')).toBe(said);
		expect(breaks).toBeGreaterThan(2);
	},
);
