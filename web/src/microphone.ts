/** Audio from the browser, of a microphone or any other MediaStream, on its way to the worker. */

import { SAMPLE_RATE_HZ } from './audio-format.js';
import { AuricleError } from './errors.js';
import { PROCESSOR_NAME, type ToWorklet } from './messages.js';

/** Maximum wait for a worklet to confirm that it has stopped. */
const STOP_LIMIT_MILLISECONDS = 500;

/** The source ended unexpectedly; earlier speech is safe. */
export interface SourceLost {
	readonly type: 'source_lost';
	readonly cause: 'unplugged' | 'permission';
	/** A sentence. */
	readonly message: string;
}

/** The source was muted or unmuted: by a switch on it, or by the browser or system. */
export interface SourceMuted {
	readonly type: 'source_muted' | 'source_unmuted';
	/** A sentence. */
	readonly message: string;
}

/** The browser suspended or resumed all audio of this page. */
export interface SoundState {
	readonly type: 'sound_suspended' | 'sound_running';
	/** A sentence. */
	readonly message: string;
}

/** The page was hidden or shown; captions continue, though phones may stop the microphone. */
export interface PageState {
	readonly type: 'page_hidden' | 'page_visible';
	/** A sentence. */
	readonly message: string;
}

/** Events of the audio source and the page. */
export type SourceEvent = SourceLost | SourceMuted | SoundState | PageState;

/** Options of a microphone. */
export interface MicrophoneOptions {
	/** The ID from `enumerateDevices`; the browser's default if omitted. */
	readonly deviceId?: string;
}

/**
 * Opens a microphone.
 *
 * @throws {@link AuricleError} `microphone_denied`, `no_microphone`, `microphone_busy`, `unsupported`.
 */
export async function openMicrophone({ deviceId }: MicrophoneOptions = {}): Promise<MediaStream> {
	// Browsers hide it from pages loaded over plain HTTP.
	const devices = navigator.mediaDevices as MediaDevices | undefined;
	if (devices === undefined) {
		throw new AuricleError(
			'unsupported',
			'Browsers allow the microphone only on https:// pages and on localhost.',
		);
	}
	try {
		// Never request a rate: some browsers then return no audio at all.
		return await devices.getUserMedia({
			audio: deviceId === undefined ? true : { deviceId: { exact: deviceId } },
		});
	} catch (error) {
		throw microphoneError(error);
	}
}

/** Returns the error for a failure of `getUserMedia`. */
export function microphoneError(error: unknown): AuricleError {
	const name = error instanceof Error ? error.name : '';
	const [code, message] = MICROPHONE_ERRORS[name] ?? [
		'unsupported',
		`The microphone can't be used: ${String(error)}`,
	];
	return new AuricleError(code, message);
}

const GONE = ['no_microphone', 'No microphone found.'] as const;
const DENIED = [
	'microphone_denied',
	'This page may not use the microphone: allow it in the browser.',
] as const;
const TAKEN = [
	'microphone_busy',
	'The microphone can’t be started: another program may be using it.',
] as const;
const MICROPHONE_ERRORS: Readonly<Record<string, readonly [string, string]>> = {
	NotAllowedError: DENIED,
	SecurityError: DENIED,
	NotFoundError: GONE,
	OverconstrainedError: ['no_microphone', 'The selected microphone was not found.'],
	NotReadableError: TAKEN,
	AbortError: TAKEN,
};

/** Sends the audio of a MediaStream to a port. */
export class Capture {
	readonly #context: AudioContext;
	readonly #node: AudioWorkletNode;
	readonly #track: MediaStreamTrack;
	readonly #stopListening = new AbortController();

	/** The sample rate of the audio sent to the port. */
	get rateHz(): number {
		return this.#context.sampleRate;
	}

	/**
	 * Starts to listen.
	 *
	 * @param media - The audio source; its tracks stay the caller's.
	 * @param port - Receives blocks of 20 ms and, at the end, `null`.
	 * @param workletUrl - Address of the worklet's script.
	 * @param emit - Receives events of the source.
	 * @throws {@link AuricleError} `no_microphone`: the stream has no audio. `unsupported`.
	 */
	static async start(
		media: MediaStream,
		port: MessagePort,
		workletUrl: URL,
		emit: (event: SourceEvent) => void,
	): Promise<Capture> {
		const [track] = media.getAudioTracks();
		if (track?.readyState !== 'live') {
			throw new AuricleError('no_microphone', 'This stream has no audio.');
		}
		const [context, source] = openContext(media);
		try {
			await context.audioWorklet.addModule(workletUrl);
		} catch (error) {
			await context.close();
			throw new AuricleError('unsupported', `The sound can't be read: ${String(error)}`);
		}
		const node = new AudioWorkletNode(context, PROCESSOR_NAME, {
			numberOfInputs: 1,
			numberOfOutputs: 0,
			channelCount: 1, // the browser mixes to mono
			channelCountMode: 'explicit',
		});
		post(node, { kind: 'send', port }, [port]);
		source.connect(node);
		return new Capture(context, node, track, emit);
	}

	private constructor(
		context: AudioContext,
		node: AudioWorkletNode,
		track: MediaStreamTrack,
		emit: (event: SourceEvent) => void,
	) {
		this.#context = context;
		this.#node = node;
		this.#track = track;
		const { signal } = this.#stopListening;
		const listen = (target: EventTarget, name: string, then: () => void): void =>
			target.addEventListener(name, then, { signal });
		listen(track, 'ended', () => {
			void whyEnded().then(event => {
				if (!signal.aborted) {
					emit(event); // only while this source is in use
				}
			});
		});
		listen(track, 'mute', () => emit({ type: 'source_muted', message: 'The microphone is muted.' }));
		listen(track, 'unmute', () => emit({ type: 'source_unmuted', message: 'The microphone is on again.' }));
		listen(context, 'statechange', () => emit(soundState(context)));
		// A context starts suspended if the user has not clicked on the page yet.
		void context.resume().catch(() => undefined);
		setTimeout(() => {
			if (!signal.aborted && context.state !== 'running') {
				emit(soundState(context));
			}
		}, STOP_LIMIT_MILLISECONDS);
	}

	/** Sends the last audio and ends; with `andTrack` the microphone is released, too. */
	async stop(andTrack: boolean): Promise<void> {
		this.#stopListening.abort();
		await new Promise<void>(resolve => {
			this.#node.port.onmessage = () => resolve();
			post(this.#node, { kind: 'stop' });
			setTimeout(resolve, STOP_LIMIT_MILLISECONDS);
		});
		if (andTrack) {
			this.#track.stop();
		}
		await this.#context.close();
	}
}

/** Opens a context at 16 kHz, or at the device's rate where a browser (an older Firefox) cannot convert. */
function openContext(media: MediaStream): [AudioContext, MediaStreamAudioSourceNode] {
	const context = new AudioContext({ sampleRate: SAMPLE_RATE_HZ });
	try {
		return [context, context.createMediaStreamSource(media)];
	} catch {
		void context.close();
		const other = new AudioContext();
		return [other, other.createMediaStreamSource(media)];
	}
}

function post(node: AudioWorkletNode, message: ToWorklet, transfer: Transferable[] = []): void {
	node.port.postMessage(message, transfer);
}

async function whyEnded(): Promise<SourceLost> {
	const permission = await navigator.permissions
		.query({ name: 'microphone' })
		.then(status => status.state)
		.catch(() => 'unknown'); // this browser does not report it
	return permission === 'denied'
		? { type: 'source_lost', cause: 'permission', message: 'The microphone permission was revoked.' }
		: {
				type: 'source_lost',
				cause: 'unplugged',
				message: 'The microphone was disconnected: reconnect it and start again.',
			};
}

function soundState(context: AudioContext): SoundState {
	return context.state === 'running'
		? { type: 'sound_running', message: 'The audio has resumed.' }
		: { type: 'sound_suspended', message: 'The browser suspended the audio: click on the page to resume.' };
}
