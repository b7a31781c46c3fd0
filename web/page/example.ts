/** The example: a recording that the user hears while it is streamed as if somebody spoke. */

import { AuricleError } from '../src/index.js';
import exampleUrl from './example.mp3';

/** Silence after the last word, so that its final comes before the end. */
const SILENCE_AFTER_MILLISECONDS = 1500;

/** The example while it plays. */
export interface Example {
	readonly media: MediaStream;
	/** Resolves when it has been heard to its end; never after {@link Example.stop}. */
	readonly ended: Promise<void>;
	/** Ends the sound. */
	stop(): void;
}

/**
 * Starts to play it.
 *
 * @throws AuricleError `offline`: it can't be loaded.
 */
export async function playExample(): Promise<Example> {
	const context = new AudioContext();
	try {
		const answer = await fetch(exampleUrl);
		const source = context.createBufferSource();
		source.buffer = await context.decodeAudioData(await answer.arrayBuffer());
		const sink = context.createMediaStreamDestination();
		source.connect(sink);
		source.connect(context.destination);
		const ended = new Promise<void>(resolve => {
			source.onended = () => {
				setTimeout(() => {
					if (context.state !== 'closed') {
						resolve();
					}
				}, SILENCE_AFTER_MILLISECONDS);
			};
		});
		source.start();
		return { media: sink.stream, ended, stop: () => void context.close() };
	} catch (error) {
		void context.close();
		throw new AuricleError('offline', String(error));
	}
}
