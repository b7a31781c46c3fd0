/** Sound from the browser: a microphone or any other MediaStream, on its way to the worker. */

import { SAMPLE_RATE_HZ } from './audio-format.js';
import { AuricleError } from './errors.js';
import { PROCESSOR_NAME, type ToWorklet } from './messages.js';

/** A worklet has so long to say that it has stopped. */
const STOP_LIMIT_MILLISECONDS = 500;

/** No more sound comes from this source, though nobody asked for that; speech so far is safe. */
export interface SourceLost {
	readonly type: 'source_lost';
	readonly cause: 'unplugged' | 'permission';
	/** A sentence. */
	readonly message: string;
}

/** The source gives silence, or sound again: by a switch on it, or as the browser or system wants it. */
export interface SourceMuted {
	readonly type: 'source_muted' | 'source_unmuted';
	/** A sentence. */
	readonly message: string;
}

/** The browser has stopped all sound of this page, or lets it go on. */
export interface SoundState {
	readonly type: 'sound_suspended' | 'sound_running';
	/** A sentence. */
	readonly message: string;
}

/** The page was hidden or is seen again; captions go on, though phones may stop the microphone. */
export interface PageState {
	readonly type: 'page_hidden' | 'page_visible';
	/** A sentence. */
	readonly message: string;
}

/** What happens on this side of the network. */
export type SourceEvent = SourceLost | SourceMuted | SoundState | PageState;

/** Which microphone. */
export interface MicrophoneOptions {
	/** As `enumerateDevices` names it; the browser's choice if left out. */
	readonly deviceId?: string;
}

/**
 * Opens a microphone.
 *
 * @throws {@link AuricleError} `microphone_denied`, `no_microphone`, `microphone_busy`, `unsupported`.
 */
export async function openMicrophone({ deviceId }: MicrophoneOptions = {}): Promise<MediaStream> {
	// Browsers hide it from pages that came over plain http.
	const devices = navigator.mediaDevices as MediaDevices | undefined;
	if (devices === undefined) {
		throw new AuricleError(
			'unsupported',
			'Browsers give the microphone only to pages of https:// and of this very machine.',
		);
	}
	try {
		// Never ask for a rate: some browsers then give no sound at all.
		return await devices.getUserMedia({
			audio: deviceId === undefined ? true : { deviceId: { exact: deviceId } },
		});
	} catch (error) {
		throw microphoneError(error);
	}
}

/** Returns what a failure of `getUserMedia` means. */
export function microphoneError(error: unknown): AuricleError {
	const name = error instanceof Error ? error.name : '';
	const [code, message] = MICROPHONE_ERRORS[name] ?? [
		'unsupported',
		`The microphone can't be used: ${String(error)}`,
	];
	return new AuricleError(code, message);
}

const GONE = ['no_microphone', 'There is no microphone.'] as const;
const DENIED = [
	'microphone_denied',
	'The microphone is not allowed to this page: allow it in the browser.',
] as const;
const TAKEN = ['microphone_busy', 'The microphone does not start: another program may have it.'] as const;
const MICROPHONE_ERRORS: Readonly<Record<string, readonly [string, string]>> = {
	NotAllowedError: DENIED,
	SecurityError: DENIED,
	NotFoundError: GONE,
	OverconstrainedError: ['no_microphone', 'The chosen microphone is not there.'],
	NotReadableError: TAKEN,
	AbortError: TAKEN,
};

/** A MediaStream whose sound goes to a port. */
export class Capture {
	readonly #context: AudioContext;
	readonly #node: AudioWorkletNode;
	readonly #track: MediaStreamTrack;
	readonly #stopListening = new AbortController();

	/** The rate of what goes to the port. */
	get rateHz(): number {
		return this.#context.sampleRate;
	}

	/**
	 * Begins to listen.
	 *
	 * @param media - Where the sound comes from; its tracks stay the caller's.
	 * @param port - Gets blocks of 20 ms and, at the end, `null`.
	 * @param workletUrl - Where the worklet's script lies.
	 * @param tell - Gets what happens to the source.
	 * @throws {@link AuricleError} `no_microphone`: there is no sound in it. `unsupported`.
	 */
	static async start(
		media: MediaStream,
		port: MessagePort,
		workletUrl: URL,
		tell: (event: SourceEvent) => void,
	): Promise<Capture> {
		const [track] = media.getAudioTracks();
		if (track?.readyState !== 'live') {
			throw new AuricleError('no_microphone', 'This stream has no sound.');
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
		return new Capture(context, node, track, tell);
	}

	private constructor(
		context: AudioContext,
		node: AudioWorkletNode,
		track: MediaStreamTrack,
		tell: (event: SourceEvent) => void,
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
					tell(event); // of a source that is still listened to
				}
			});
		});
		listen(track, 'mute', () => tell({ type: 'source_muted', message: 'The microphone is muted.' }));
		listen(track, 'unmute', () => tell({ type: 'source_unmuted', message: 'The microphone is on again.' }));
		listen(context, 'statechange', () => tell(soundState(context)));
		// A context begins suspended where nobody has clicked on the page yet.
		void context.resume().catch(() => undefined);
		setTimeout(() => {
			if (!signal.aborted && context.state !== 'running') {
				tell(soundState(context));
			}
		}, STOP_LIMIT_MILLISECONDS);
	}

	/** Lets the last sound out and ends; with `andTrack` the microphone's light goes off, too. */
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

/** Opens a context at our rate, or at the device's where a browser (an older Firefox) can't convert. */
function openContext(media: MediaStream): [AudioContext, MediaStreamAudioSourceNode] {
	const wanted = new AudioContext({ sampleRate: SAMPLE_RATE_HZ });
	try {
		return [wanted, wanted.createMediaStreamSource(media)];
	} catch {
		void wanted.close();
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
		.catch(() => 'unknown'); // this browser does not tell
	return permission === 'denied'
		? { type: 'source_lost', cause: 'permission', message: 'The microphone is not allowed any more.' }
		: {
				type: 'source_lost',
				cause: 'unplugged',
				message: 'The microphone is gone: plug it in and start again.',
			};
}

function soundState(context: AudioContext): SoundState {
	return context.state === 'running'
		? { type: 'sound_running', message: 'The sound goes on.' }
		: { type: 'sound_suspended', message: 'The browser has stopped the sound: click on the page to go on.' };
}
