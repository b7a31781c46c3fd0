/** Live captions from the start button to the last word: what to listen to, and the client that does. */

import {
	AuricleError,
	type Final,
	type Gap,
	LiveClient,
	type LiveClientOptions,
	type LiveEvent,
	type Partial,
} from '../src/index.js';
import { DEFAULT_RULES } from '../src/backoff.js';
import workerUrl from '../src/worker.ts?worker&url';
import workletUrl from '../src/worklet.ts?worker&url';
import { problem, type Sentence } from './caption-texts.js';
import { asksForKey, type Key } from './key.js';
import { release, type SourceChoice } from './source.js';

for (const url of [workerUrl, workletUrl]) {
	fetch(url).catch(() => undefined); // the browser keeps them: a start finds them also when the server is gone
}

/** What `?outage_buffer_s=` in the page's address may be. */
const MIN_KEPT_SECONDS = 1;
const MAX_KEPT_SECONDS = 6 * 3600;

/** Returns how much audio is kept while no server answers, and for how long one is tried, as the address asks. */
function outageRules(): NonNullable<LiveClientOptions['rules']> {
	const asked = Number(new URLSearchParams(location.search).get('outage_buffer_s') ?? NaN);
	if (!(asked >= MIN_KEPT_SECONDS && asked <= MAX_KEPT_SECONDS)) {
		return {};
	}
	return { maxKeptSeconds: asked, patienceSeconds: Math.max(DEFAULT_RULES.patienceSeconds, asked) };
}

/** Where it stands. */
export type LiveState =
	'idle' | 'asking' | 'connecting' | 'listening' | 'reconnecting' | 'paused' | 'finishing';

/** What shows it. */
export interface LiveView {
	showState(state: LiveState): void;
	/** How far the text is behind while it catches up after an outage. */
	showBehind(seconds: number | null): void;
	/** From the end of an utterance to its text. */
	showDelay(milliseconds: number | null): void;
	showPartial(partial: Partial): void;
	showFinal(final: Final): void;
	showGap(gap: Gap): void;
	/** A stream begins, or has ended. */
	begin(): void;
	end(): void;
	/** What is listened to. */
	showMedia(media: MediaStream | null): void;
	/** Says what is wrong, or that nothing is any more. */
	tell(sentence: Sentence | null): void;
}

/** One stream at a time. */
export class Live {
	#state: LiveState = 'idle';
	/** The same of the connection, whether paused or not; and what is wrong with it. */
	#connection: 'connecting' | 'listening' | 'reconnecting' = 'connecting';
	#trouble: Sentence | null = null;
	#turn = 0; // grows with each wish to listen, or to pause
	#client: LiveClient | null = null;
	#media: MediaStream | null = null;
	readonly #view: LiveView;
	readonly #source: SourceChoice;
	readonly #key: Key;
	readonly #language: () => string | null;

	/**
	 * @param view - What shows it.
	 * @param source - What to listen to.
	 * @param key - What to show the server.
	 * @param language - Gives what is spoken; `null` to find out.
	 */
	constructor(view: LiveView, source: SourceChoice, key: Key, language: () => string | null) {
		this.#view = view;
		this.#source = source;
		this.#key = key;
		this.#language = language;
	}

	/** Where it stands. */
	get state(): LiveState {
		return this.#state;
	}

	/** Begins, or ends; a second end does not wait for the last words. */
	async startOrStop(): Promise<void> {
		if (this.#state === 'idle') {
			await this.#start();
		} else if (this.#client === null || this.#state === 'finishing') {
			this.#view.tell(null);
			this.#end(this.#client);
		} else {
			const client = this.#client;
			this.#enter('finishing');
			await this.#hush(client);
			await client.finish().catch(() => undefined); // #follow sees how it ends
		}
	}

	/** Stops listening for a while, or goes on. */
	async pauseOrGoOn(): Promise<void> {
		if (this.#state === 'paused') {
			await this.#listen();
		} else if (this.#client !== null && this.#state !== 'finishing') {
			this.#turn++;
			this.#enter('paused');
			await this.#hush(this.#client);
			this.#say(client => client.finalize());
		}
	}

	/** Listens to what is chosen now. */
	async changeSource(): Promise<void> {
		if (this.#client !== null && this.#state !== 'paused' && this.#state !== 'finishing') {
			await this.#listen();
		}
	}

	/** Asks for another language from the next utterance on. */
	changeLanguage(): void {
		this.#say(client => client.configure({ language: this.#language() }));
	}

	async #start(): Promise<void> {
		this.#view.tell(null);
		this.#enter('asking');
		const media = await this.#open();
		if (media === null) {
			this.#end(null);
			return;
		}
		if (this.#state !== 'asking') {
			release(media); // it was stopped meanwhile
			return;
		}
		this.#take(media);
		this.#connected('connecting', null);
		try {
			const apiKey = this.#key.forSocket;
			const client = new LiveClient({
				url: new URL('.', location.href).href,
				language: this.#language(),
				rules: outageRules(),
				workerUrl,
				workletUrl,
				...(apiKey === undefined ? {} : { apiKey }),
			});
			this.#client = client;
			this.#view.begin();
			void this.#follow(client);
			await client.useStream(media);
		} catch (error) {
			this.#fail(this.#client, error);
		}
	}

	async #listen(): Promise<void> {
		const client = this.#client;
		const turn = ++this.#turn;
		this.#view.tell(this.#trouble);
		const media = await this.#open();
		if (media === null) {
			if (this.#media !== null) {
				this.#source.goBack(); // it goes on with what it listened to before
			}
			return;
		}
		if (client === null || client !== this.#client || turn !== this.#turn || this.#state === 'finishing') {
			release(media); // something else is wanted by now
			return;
		}
		this.#release();
		this.#take(media);
		this.#enter(this.#connection);
		await client.useStream(media).catch((error: unknown) => this.#fail(client, error));
	}

	async #open(): Promise<MediaStream | null> {
		try {
			return await this.#source.open();
		} catch (error) {
			const code = error instanceof AuricleError ? error.code : 'unsupported';
			this.#view.tell(problem(code === 'unsupported' && !isSecureContext ? 'insecure' : code));
			return null;
		}
	}

	/** Shows all that a stream tells, to its end. */
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
				this.#connected('listening', null);
				break;
			case 'disconnected':
				this.#connected(
					this.#connection === 'connecting' ? 'connecting' : 'reconnecting',
					problem(event.cause),
				);
				break;
			case 'partial':
				this.#view.showPartial(event);
				break;
			case 'final':
				this.#view.showFinal(event);
				this.#view.showDelay(event.latencyMilliseconds);
				break;
			case 'catching_up':
				this.#view.showBehind(event.behindSeconds === 0 ? null : event.behindSeconds);
				break;
			case 'gap':
				this.#view.showGap(event);
				break;
			case 'source_lost':
				this.#release();
				this.#enter('paused');
				this.#view.tell(problem(this.#source.isTab ? 'source_ended' : event.cause));
				break;
			case 'warning':
				this.#view.tell(problem(event.code));
				break;
			case 'source_muted':
			case 'sound_suspended':
				this.#view.tell(problem(event.type));
				break;
			case 'source_unmuted':
			case 'sound_running':
				this.#view.tell(this.#trouble);
				break;
			case 'error': // if it ends the stream, that is told next
			case 'closed':
			case 'speech_started':
			case 'speech_ended':
			case 'page_hidden':
			case 'page_visible':
				break;
		}
	}

	/** Takes note of how the connection is. */
	#connected(how: 'connecting' | 'listening' | 'reconnecting', trouble: Sentence | null): void {
		this.#connection = how;
		this.#trouble = trouble;
		this.#view.tell(trouble);
		if (this.#state !== 'paused' && this.#state !== 'finishing') {
			this.#enter(how);
		}
	}

	#fail(client: LiveClient | null, error: unknown): void {
		if (client !== this.#client) {
			return;
		}
		const code = error instanceof AuricleError ? error.code : 'unsupported';
		this.#end(client);
		if (asksForKey(code)) {
			this.#view.tell(this.#key.ask(code, this.#startAgain));
		} else if (code !== 'aborted') {
			this.#view.tell(problem(code));
		}
	}

	#end(client: LiveClient | null): void {
		if (client !== this.#client) {
			return;
		}
		this.#client = null;
		client?.close();
		this.#release();
		this.#view.showDelay(null);
		this.#view.showBehind(null);
		this.#view.end();
		this.#enter('idle');
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

	/** Lets the last sound go up before the microphone's light goes off: of this one, whatever is opened meanwhile. */
	async #hush(client: LiveClient): Promise<void> {
		const media = this.#media;
		this.#media = null;
		this.#view.showMedia(null);
		await client.detach();
		if (media !== null) {
			release(media);
		}
	}

	/** Lets the microphone's light go off. */
	#release(): void {
		if (this.#media !== null) {
			release(this.#media);
			this.#media = null;
			this.#view.showMedia(null);
		}
	}

	#enter(state: LiveState): void {
		this.#state = state;
		this.#view.showState(state);
	}
}
