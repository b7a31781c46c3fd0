import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';

interface Port {
	onmessage: (event: { data: unknown }) => void;
	readonly postMessage: (message: unknown) => void;
}

interface Processor {
	readonly port: Port;
	process(inputs: readonly (readonly Float32Array[])[]): boolean;
}

let Capture: new () => Processor;
const BLOCK_SAMPLES = 882; // 20 ms at 44.1 kHz
const QUANTUM_SAMPLES = 128;

beforeAll(async () => {
	class AudioWorkletProcessor {
		readonly port = { onmessage: null, postMessage: vi.fn() };
	}
	vi.stubGlobal('AudioWorkletProcessor', AudioWorkletProcessor);
	vi.stubGlobal('sampleRate', 44_100);
	vi.stubGlobal('registerProcessor', (_: string, processor: typeof Capture) => {
		Capture = processor;
	});
	await import('../src/worklet.js');
});

afterAll(() => {
	vi.unstubAllGlobals();
});

let capture: Processor;
let got: (Float32Array | null)[];

beforeEach(() => {
	capture = new Capture();
	got = [];
	const port = {
		postMessage: (block: Float32Array | null, transfer: Transferable[] = []) =>
			got.push(structuredClone(block, { transfer })), // what is given away is gone, as in a browser
	};
	capture.port.onmessage({ data: { kind: 'send', port } });
});

function feed(quanta: number): void {
	for (let at = 0; at < quanta; at++) {
		const sound = Float32Array.from({ length: QUANTUM_SAMPLES }, (_, index) => at * QUANTUM_SAMPLES + index);
		expect(capture.process([[sound]])).toBe(true);
	}
}

const stop = (): void => capture.port.onmessage({ data: { kind: 'stop' } });

test('posts audio in blocks of 20 ms without loss', () => {
	feed(30);
	expect(got.map(block => block?.length)).toEqual(Array<number>(4).fill(BLOCK_SAMPLES));
	stop();
	const all = got.flatMap(block => [...(block ?? [])]);
	expect(all).toEqual(Array.from({ length: 30 * QUANTUM_SAMPLES }, (_, index) => index));
});

test('posts silence while the source has no channel', () => {
	for (let at = 0; at < 7; at++) {
		expect(capture.process([[]])).toBe(true);
	}
	expect(got).toEqual([new Float32Array(BLOCK_SAMPLES)]);
});

test('announces the end to page and worker, and posts nothing after it', () => {
	feed(1);
	stop();
	expect(got.at(-1)).toBeNull();
	expect(capture.port.postMessage).toHaveBeenCalledTimes(1);
	const before = got.length;
	expect(capture.process([[new Float32Array(10 * BLOCK_SAMPLES)]])).toBe(false);
	expect(got).toHaveLength(before);
});

test('waits for a source without audio', () => {
	expect(capture.process([[]])).toBe(true);
	expect(capture.process([])).toBe(true);
	expect(got).toEqual([]);
});
