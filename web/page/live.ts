/** Live captions from the start button to the last final: the audio source and the client. */

import {
	AuricleError,
	type Cause,
	type Final,
	type Gap,
	LiveClient,
	type LiveClientOptions,
	type LiveEvent,
	type Load,
	type Partial,
	type SpeakerRevision,
} from '../src/index.js';
import { DEFAULT_RULES } from '../src/backoff.js';
import workerUrl from '../src/worker.ts?worker&url';
import workletUrl from '../src/worklet.ts?worker&url';
import { problem, type Sentence } from './caption-texts.js';
import { type Example, playExample } from './example.js';
import { asksForKey, type Key } from './key.js';
import { Lateness } from './lateness.js';
import { kindOf, type NoticeKind } from './notice.js';
import { stopTracks, type SourceChoice } from './source.js';

for (const url of [workerUrl, workletUrl]) {
	fetch(url).catch(() => undefined); // cached: a start then works even if the server is unreachable
}

/** Allowed values of `?outage_buffer_s=` in the page's address. */
const MIN_KEPT_SECONDS = 1;
const MAX_KEPT_SECONDS = 6 * 3600;

/** Returns the limits for kept audio and reconnecting during an outage, from the page's address. */
function outageRules(): NonNullable<LiveClientOptions['rules']> {
	const seconds = Number(new URLSearchParams(location.search).get('outage_buffer_s') ?? NaN);
	if (!(seconds >= MIN_KEPT_SECONDS && seconds <= MAX_KEPT_SECONDS)) {
		return {};
	}
	return { maxKeptSeconds: seconds, patienceSeconds: Math.max(DEFAULT_RULES.patienceSeconds, seconds) };
}

/** State of the captions. */
export type LiveState =
	| 'idle'
	| 'asking'
	| 'connecting'
	| 'starting'
	| 'waiting'
	| 'listening'
	| 'reconnecting'
	| 'paused'
	| 'finishing';

/** The view of the live captions. */
export interface LiveView {
	showState(state: LiveState): void;
	/** Delay of the text, in seconds, while it catches up after an outage; `null` otherwise. */
	showBehind(seconds: number | null): void;
	/** Delay from the end of an utterance to its text. */
	showDelay(milliseconds: number | null): void;
	showPartial(partial: Partial): void;
	showFinal(final: Final): void;
	reviseSpeakers(revision: SpeakerRevision): void;
	showGap(gap: Gap): void;
	/** ID of the session, by which others can read it; `null`: there is none. */
	showSession(session: string | null): void;
	/** A stream has started or ended. */
	begin(): void;
	end(): void;
	/** The current audio source. */
	showMedia(media: MediaStream | null): void;
	/** Shows a problem; `null` removes it. */
	showProblem(sentence: Sentence | null, kind?: NoticeKind, figure?: Sentence | null): void;
}

/** State of the connection; `starting`: the server loads its model; `waiting`: it is full. */
type Connection = 'connecting' | 'starting' | 'waiting' | 'listening' | 'reconnecting';

/** How often it is checked whether captions are late. */
const LATENESS_MILLISECONDS = 500;

/** How long another notice can be read before late captions replace it. */
const READING_SECONDS = 4;

/** What the user has chosen for the recognition. */
export interface SpeechChoice {
	/** Empty: the server's default. */
	readonly model: string;
	/** `null` to detect it. */
	readonly language: string | null;
	/** Whether to say who speaks; from the start of a stream only. */
	readonly speakers: boolean;
	/** Whether live utterances end where the speaker sounds finished; from the start of a stream only. */
	readonly turnDetection: boolean;
	/** Whether to translate into English. */
	readonly task: 'transcribe' | 'translate';
	/** Expected words. */
	readonly hotwords: readonly string[];
	/** Empty: the default one of the key, if it has one; from the start of a stream only. */
	readonly vocabulary: string;
	/** Later captions are dropped; from the start of a stream only. */
	readonly maxLagSeconds?: number;
}

/** Parts of the choice that a source decides. */
type SpeechOverride =
	Pick<SpeechChoice, 'language' | 'task' | 'hotwords' | 'vocabulary'> | Record<string, never>;

/** What is known of the example. */
const IN_EXAMPLE: SpeechOverride = { language: 'en', task: 'transcribe', hotwords: [], vocabulary: '' };

function nowSeconds(): number {
	return performance.now() / 1000;
}

/** Runs one stream at a time. */
export class Live {
	#state: LiveState = 'idle';
	/** State of the connection, paused or not; and its problem. */
	#connection: Connection = 'connecting';
	#hasConnected = false;
	#connectionProblem: string | null = null;
	#load: Load | null = null; // of a full server
	#turn = 0; // incremented with each request to listen or pause
	#client: LiveClient | null = null;
	#media: MediaStream | null = null;
	#lateness = new Lateness(0, 0);
	#isLate = false;
	#readUntil = 0;
	#watch: ReturnType<typeof setInterval> | undefined;
	#example: Example | null = null;
	readonly #view: LiveView;
	readonly #source: SourceChoice;
	readonly #key: Key;
	readonly #speech: () => SpeechChoice;

	/**
	 * @param view - Shows the captions.
	 * @param source - The audio source.
	 * @param key - The key for the server.
	 * @param speech - Returns the choice of the model and the language.
	 */
	constructor(view: LiveView, source: SourceChoice, key: Key, speech: () => SpeechChoice) {
		this.#view = view;
		this.#source = source;
		this.#key = key;
		this.#speech = speech;
	}

	/** The current state. */
	get state(): LiveState {
		return this.#state;
	}

	/** Starts or stops; a second stop does not wait for the last finals. */
	async startOrStop(): Promise<void> {
		if (this.#state === 'idle') {
			await this.#start();
		} else if (this.#client === null || this.#state === 'finishing') {
			this.#view.showProblem(null);
			this.#end(this.#client);
		} else {
			const client = this.#client;
			this.#enter('finishing');
			await this.#hush(client);
			await client.finish().catch(() => undefined); // #follow handles the error
		}
	}

	/** Whether the example is playing. */
	get isExample(): boolean {
		return this.#example !== null;
	}

	/** Starts with the example in the place of the audio source, and stops after it. */
	async startExample(): Promise<void> {
		if (this.#state === 'idle') {
			await this.#start(this.#openExample, IN_EXAMPLE);
		}
	}

	/** Pauses or resumes listening; the example has no pause. */
	async pauseOrGoOn(): Promise<void> {
		if (this.isExample) {
			return;
		}
		if (this.#state === 'paused') {
			await this.#listen();
		} else if (this.#client !== null && this.#state !== 'finishing') {
			this.#turn++;
			this.#enter('paused');
			await this.#hush(this.#client);
			this.#say(client => client.finalize());
		}
	}

	/** Listens to the selected source. */
	async changeSource(): Promise<void> {
		if (this.#client !== null && this.#state !== 'paused' && this.#state !== 'finishing') {
			await this.#listen();
		}
	}

	/** Requests another model, language or task and other words to know, from the next utterance on. */
	changeSpeech(): void {
		const override = this.isExample ? IN_EXAMPLE : {};
		const { model, language, task, hotwords } = { ...this.#speech(), ...override };
		this.#say(client => client.configure({ model, language, task, hotwords }));
	}

	async #start(open = this.#openSource, speech: SpeechOverride = {}): Promise<void> {
		this.#view.showProblem(null);
		this.#enter('asking');
		const media = await this.#open(open);
		if (media === null) {
			this.#end(null);
			return;
		}
		if (this.#state !== 'asking') {
			stopTracks(media); // stopped meanwhile
			this.#stopExample();
			return;
		}
		this.#take(media);
		this.#connected('connecting', null);
		try {
			const apiKey = this.#key.forSocket;
			const rules = outageRules();
			this.#lateness = new Lateness(nowSeconds(), rules.maxKeptSeconds ?? DEFAULT_RULES.maxKeptSeconds);
			const client = new LiveClient({
				url: new URL('.', location.href).href,
				...this.#speech(),
				...speech,
				rules,
				workerUrl,
				workletUrl,
				...(apiKey === undefined ? {} : { apiKey }),
			});
			this.#client = client;
			this.#view.begin();
			this.#watch = setInterval(() => this.#checkLateness(client), LATENESS_MILLISECONDS);
			void this.#follow(client);
			await client.useStream(media);
		} catch (error) {
			this.#fail(this.#client, error);
		}
	}

	async #listen(): Promise<void> {
		const client = this.#client;
		const turn = ++this.#turn;
		this.#showProblem(this.#connectionProblem);
		const media = await this.#open(this.#openSource);
		if (media === null) {
			if (this.#media !== null) {
				this.#source.goBack(); // continues with the previous source
			}
			return;
		}
		if (client === null || client !== this.#client || turn !== this.#turn || this.#state === 'finishing') {
			stopTracks(media); // another source was requested meanwhile
			return;
		}
		this.#stopTracks();
		this.#take(media);
		this.#enter(this.#connection);
		await client.useStream(media).catch((error: unknown) => this.#fail(client, error));
	}

	readonly #openSource = (): Promise<MediaStream> => this.#source.open();

	readonly #openExample = async (): Promise<MediaStream> => {
		const example = await playExample();
		this.#example = example;
		void example.ended.then(() => {
			if (this.#example === example && this.#state !== 'finishing') {
				void this.startOrStop();
			}
		});
		return example.media;
	};

	async #open(open: () => Promise<MediaStream>): Promise<MediaStream | null> {
		try {
			return await open();
		} catch (error) {
			const code = error instanceof AuricleError ? error.code : 'unsupported';
			this.#showProblem(code === 'unsupported' && !isSecureContext ? 'insecure' : code);
			return null;
		}
	}

	/** Shows all events of a stream until its end. */
	async #follow(client: LiveClient): Promise<void> {
		try {
			for await (const event of client) {
				if (client === this.#client) {
					this.#show(event);
				}
			}
			this.#end(client);
		} catch (error) {
			this.#fail(client, error);
		}
	}

	#show(event: LiveEvent): void {
		switch (event.type) {
			case 'connected':
				this.#hasConnected = true;
				this.#connected('listening', null);
				this.#view.showSession(event.session);
				break;
			case 'disconnected':
				this.#load = event.load ?? null;
				this.#connected(this.#connectionAfter(event.cause), event.cause);
				break;
			case 'partial':
				this.#lateness.text(nowSeconds());
				this.#view.showPartial(event);
				break;
			case 'final':
				this.#lateness.text(nowSeconds());
				this.#view.showFinal(event);
				this.#view.showDelay(event.latencyMilliseconds);
				break;
			case 'speaker_revision':
				this.#view.reviseSpeakers(event);
				break;
			case 'catching_up':
				this.#view.showBehind(event.behindSeconds === 0 ? null : event.behindSeconds);
				break;
			case 'gap':
				// What a refused start has captured was never speech to caption: its error says all.
				if (event.code !== 'stopped' || !this.#isRefused || this.#state === 'finishing') {
					this.#view.showGap(event);
				}
				break;
			case 'source_lost':
				this.#stopTracks();
				this.#enter('paused');
				this.#showProblem(this.#source.isTab ? 'source_ended' : event.cause);
				break;
			case 'warning':
				this.#showProblem(event.code);
				break;
			case 'source_muted':
			case 'sound_suspended':
				this.#showProblem(event.type);
				break;
			case 'source_unmuted':
			case 'sound_running':
				this.#showProblem(this.#connectionProblem);
				break;
			case 'error': // if it ends the stream, that is the next event
			case 'closed':
			case 'speech_started':
			case 'speech_ended':
			case 'page_hidden':
			case 'page_visible':
				break;
		}
	}

	/** Updates the state of the connection. */
	#connected(how: Connection, cause: string | null): void {
		this.#connection = how;
		this.#connectionProblem = cause;
		if (this.#isLate && this.#client !== null) {
			this.#checkLateness(this.#client);
		} else {
			this.#showProblem(cause);
		}
		if (this.#state !== 'paused' && this.#state !== 'finishing') {
			this.#enter(how);
		}
	}

	/** Returns the state of the connection that was lost or refused. */
	#connectionAfter(cause: Cause): Connection {
		if (cause === 'starting') {
			return 'starting';
		}
		if (cause === 'full') {
			return 'waiting';
		}
		return this.#hasConnected ? 'reconnecting' : 'connecting';
	}

	/** Whether no connection has been accepted yet. */
	get #isRefused(): boolean {
		return !this.#hasConnected && (this.#connection === 'connecting' || this.#connection === 'waiting');
	}

	/** Shows that captions are late, and how much speech is kept, until they come. */
	#checkLateness({ keptSeconds }: LiveClient): void {
		const isLate = this.#lateness.poll(nowSeconds(), keptSeconds);
		const isAll = !this.#lateness.hasOverflowed;
		if (nowSeconds() < this.#readUntil) {
			return;
		}
		if (isLate) {
			const cause = this.#connectionProblem;
			const code = cause ?? (isAll ? 'late' : 'overflow');
			this.#view.showProblem(this.#sentence(code), kindOf(code), texts =>
				cause === null ? texts.keptAudio(keptSeconds, isAll) : texts.keptSeconds(keptSeconds, isAll),
			);
		} else if (this.#isLate) {
			this.#showProblem(this.#connectionProblem);
		}
		this.#isLate = isLate;
	}

	#fail(client: LiveClient | null, error: unknown): void {
		if (client !== this.#client) {
			return;
		}
		const code = error instanceof AuricleError ? error.code : 'unsupported';
		this.#end(client);
		if (asksForKey(code)) {
			this.#view.showProblem(this.#key.ask(code, this.#startAgain), kindOf(code));
		} else if (code !== 'aborted') {
			this.#showProblem(code);
		}
	}

	#end(client: LiveClient | null): void {
		if (client !== this.#client) {
			return;
		}
		this.#client = null;
		this.#hasConnected = false;
		clearInterval(this.#watch);
		if (this.#isLate) {
			this.#isLate = false;
			this.#view.showProblem(null);
		}
		client?.close();
		this.#stopTracks();
		this.#view.showDelay(null);
		this.#view.showBehind(null);
		this.#view.showSession(null);
		this.#view.end();
		this.#enter('idle');
	}

	#showProblem(code: string | null): void {
		if (code === null) {
			this.#view.showProblem(null);
		} else {
			const kind = kindOf(code);
			this.#readUntil = kind === 'wait' ? 0 : nowSeconds() + READING_SECONDS;
			this.#view.showProblem(this.#sentence(code), kind);
		}
	}

	#sentence(code: string): Sentence {
		const load = code === 'full' ? this.#load : null;
		return load === null ? problem(code) : texts => texts.full(load.speakers, load.capacity);
	}

	#say(what: (client: LiveClient) => void): void {
		if (this.#client === null || this.#state === 'finishing') {
			return;
		}
		try {
			what(this.#client);
		} catch (error) {
			this.#fail(this.#client, error);
		}
	}

	readonly #startAgain = (): void => {
		if (this.#state === 'idle') {
			void this.#start();
		}
	};

	#take(media: MediaStream): void {
		this.#media = media;
		this.#view.showMedia(media);
	}

	/** Sends the last audio of this capture before the microphone is released, even if another was opened meanwhile. */
	async #hush(client: LiveClient): Promise<void> {
		const media = this.#media;
		this.#media = null;
		this.#view.showMedia(null);
		await client.detach();
		this.#stopExample();
		if (media !== null) {
			stopTracks(media);
		}
	}

	#stopExample(): void {
		this.#example?.stop();
		this.#example = null;
	}

	/** Releases the microphone. */
	#stopTracks(): void {
		this.#stopExample();
		if (this.#media !== null) {
			stopTracks(this.#media);
			this.#media = null;
			this.#view.showMedia(null);
		}
	}

	#enter(state: LiveState): void {
		this.#state = state;
		this.#view.showState(state);
	}
}
