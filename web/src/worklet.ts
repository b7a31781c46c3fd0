/** The part in the audio thread: collects 20 ms of audio and sends it to the worker, bypassing the page. */

import { type FromWorklet, PROCESSOR_NAME, type ToWorklet } from './messages.js';

// Missing in TypeScript's libraries for this scope.
declare class AudioWorkletProcessor {
	readonly port: MessagePort;
}
declare const sampleRate: number;
declare function registerProcessor(name: string, processor: typeof AudioWorkletProcessor): void;

const BLOCK_SAMPLES = Math.round(sampleRate / 50);
/** What Firefox leaves out while a source is silent; without it, an utterance would not end. */
const SILENCE = new Float32Array(128);

class Capture extends AudioWorkletProcessor {
	#target: MessagePort | null = null;
	#block = new Float32Array(BLOCK_SAMPLES);
	#filled = 0;
	#isStopped = false;

	constructor() {
		super();
		this.port.onmessage = ({ data }: MessageEvent<ToWorklet>) => {
			if (data.kind === 'send') {
				this.#target = data.port;
			} else {
				this.#stop();
			}
		};
	}

	/** Called by the browser for each 128 samples. */
	process(inputs: readonly (readonly Float32Array[])[]): boolean {
		for (const sample of inputs[0]?.[0] ?? SILENCE) {
			this.#block[this.#filled++] = sample;
			if (this.#filled === BLOCK_SAMPLES) {
				this.#send(this.#block);
				this.#block = new Float32Array(BLOCK_SAMPLES); // the old one was transferred to the worker
				this.#filled = 0;
			}
		}
		return !this.#isStopped;
	}

	#stop(): void {
		this.#isStopped = true;
		this.#send(this.#block.slice(0, this.#filled));
		this.#target?.postMessage(null satisfies FromWorklet);
		this.#target = null;
		this.port.postMessage(null);
	}

	#send(block: Float32Array<ArrayBuffer>): void {
		this.#target?.postMessage(block satisfies FromWorklet, [block.buffer]);
	}
}

registerProcessor(PROCESSOR_NAME, Capture);
