/** The client of a server's HTTP API, in browsers and Node. */

import { AuricleError } from '../errors.js';
import { LiveClient, type LiveClientOptions } from '../live-client.js';
import { ApiError } from './api-error.js';
import { type ApiKey, Connection, type Fetch, sleep } from './connection.js';
import {
	type AudioInput,
	blobOf,
	fileNameOf,
	type JobOptions,
	queryOf,
	type TranscribeOptions,
} from './options.js';
import {
	decodeBody,
	decodeJob,
	decodeJobs,
	decodeKept,
	decodeMatches,
	decodeSessions,
	decodeToken,
	decodeTranscript,
	decodeTranscripts,
	decodeVoice,
	decodeVoices,
	type ExportFormat,
	type Job,
	type JobState,
	type JobSummary,
	type KeptTranscript,
	type KnownVoice,
	type ParagraphChange,
	type LiveSession,
	type Match,
	type Token,
	type Transcript,
	type TranscriptSummary,
} from './results.js';
import { Vocabularies } from './vocabularies.js';

/** Server, key and time limits. */
export interface ClientOptions {
	/** The server's base URL, such as `https://captions.example`; in a browser the page's origin if omitted. */
	readonly url?: string;
	/** The server's key, a short-lived token, or a function that returns a fresh one before each request. */
	readonly apiKey?: ApiKey;
	/** Longest silence of the server within a request; default: 60. */
	readonly timeoutSeconds?: number;
	/** How long a request to a busy or restarting server is repeated; default: 60. */
	readonly patienceSeconds?: number;
	/** Sends the requests, in the place of the global `fetch`; not those of live streams. */
	readonly fetch?: Fetch;
}

/** Options of each request. */
export interface RequestOptions {
	/** Ends the request, with the signal's reason as the error. */
	readonly signal?: AbortSignal;
}

/** Options of a request with progress. */
export interface ProgressOptions extends RequestOptions {
	/** Called with the job about once a second, if there is one. */
	readonly onProgress?: (job: Job) => void;
}

/** Options of a wait. */
export interface WaitOptions extends ProgressOptions {
	/** Longest wait; default: any time. */
	readonly timeoutSeconds?: number;
}

/** Options of a list. */
export interface ListOptions extends RequestOptions {
	/** Maximum number of items; default: 100. */
	readonly limit?: number;
}

/** Narrows a list or search of kept transcripts. */
export interface TranscriptFilter extends ListOptions {
	readonly language?: string;
	/** The API that the session used, such as `native`, `deepgram` or `job`. */
	readonly source?: string;
	/** Earliest start. */
	readonly since?: Date;
	/** Latest start. */
	readonly until?: Date;
}

/** Larger recordings are sent as jobs: docs/decisions/120. */
const MAX_DIRECT_BYTES = 1_000_000;
/** Longest wait for a transcript that is its own response; the server's deadline is shorter. */
const TRANSCRIPTION_LIMIT_SECONDS = 900;
const DEADLINE_MARGIN_SECONDS = 30;
const DEFAULT_LIMIT_SECONDS = 60;
const DEFAULT_ITEMS = 100;
/** A server that has lost its state directory gets the recording again. */
const MAX_UPLOADS = 3;
/** A short job is noticed soon; a long one costs the server a query a second. */
const FIRST_POLL_SECONDS = 0.1;
const MAX_POLL_SECONDS = 1;
const POLL_GROWTH = 1.3;

/**
 * A client of a server.
 *
 * ```ts
 * const client = new Client({ url: 'https://captions.example', apiKey: 'KEY' });
 * const { text } = await client.transcribe(file, { language: 'en' });
 * ```
 *
 * A busy or restarting server is asked again after its `Retry-After`; a server that has never answered is not. All
 * methods reject with an {@link ApiError}.
 */
export class Client {
	/** Background jobs. */
	readonly jobs: Jobs;
	/** Kept transcripts. */
	readonly transcripts: Transcripts;
	/** Live sessions and their readers. */
	readonly sessions: Sessions;
	/** Voices of people whom the server names. */
	readonly voices: Voices;
	/** Names and words to expect. */
	readonly vocabularies: Vocabularies;

	readonly #connection: Connection;
	readonly #url: string;
	readonly #apiKey: ApiKey | undefined;

	/** @throws {@link AuricleError} `bad_parameters`: the URL is invalid, or there is none outside of a page. */
	constructor(options: ClientOptions = {}) {
		this.#url = checkedUrl(options.url ?? (globalThis.location as Location | undefined)?.origin ?? '');
		this.#apiKey = options.apiKey;
		this.#connection = new Connection({
			url: this.#url,
			apiKey: options.apiKey,
			timeoutSeconds: options.timeoutSeconds ?? DEFAULT_LIMIT_SECONDS,
			patienceSeconds: options.patienceSeconds ?? DEFAULT_LIMIT_SECONDS,
			fetch: options.fetch ?? ((url, init) => fetch(url, init)),
		});
		this.jobs = new Jobs(this.#connection);
		this.transcripts = new Transcripts(this.#connection);
		this.sessions = new Sessions(this.#connection);
		this.voices = new Voices(this.#connection);
		this.vocabularies = new Vocabularies(this.#connection);
	}

	/**
	 * Returns the transcript of a recording.
	 *
	 * A recording of more than 1 MB is sent as a job, which survives lost connections and restarts of the server. The job is
	 * deleted from the server once its transcript has arrived.
	 */
	async transcribe(
		audio: AudioInput,
		options: TranscribeOptions & ProgressOptions = {},
	): Promise<Transcript> {
		const recording = blobOf(audio);
		if (recording.size > MAX_DIRECT_BYTES) {
			return this.#transcribeAsJob(recording, options);
		}
		const { maxWaitSeconds, signal } = options;
		return this.#connection.send(
			{
				method: 'POST',
				path: ['utterance'],
				query: queryOf(options),
				audio: recording,
				limitSeconds:
					maxWaitSeconds === undefined
						? TRANSCRIPTION_LIMIT_SECONDS
						: maxWaitSeconds + DEADLINE_MARGIN_SECONDS,
				signal,
			},
			decodeTranscript,
		);
	}

	async #transcribeAsJob(recording: Blob, options: TranscribeOptions & ProgressOptions): Promise<Transcript> {
		for (let uploads = 1; ; uploads++) {
			const jobId = crypto.randomUUID();
			try {
				await this.jobs.create(recording, { ...options, jobId });
				try {
					return await this.jobs.wait(jobId, options);
				} catch (error) {
					const isLost = error instanceof ApiError && error.code === 'not_found';
					if (!isLost || uploads === MAX_UPLOADS) {
						throw error;
					}
				}
			} finally {
				await this.jobs.delete(jobId, { signal: AbortSignal.timeout(3000) }).catch(() => undefined);
			}
		}
	}

	/** Creates a token that replaces the key for 1 to 3600 seconds, for a page. */
	createToken(seconds = 60, options: RequestOptions = {}): Promise<Token> {
		return this.#connection.send(
			{ method: 'POST', path: ['v1', 'auth', 'token'], json: { ttl_s: seconds }, ...options },
			decodeToken,
		);
	}

	/**
	 * Opens a live stream, in a browser.
	 *
	 * @throws {@link AuricleError} As the constructor of {@link LiveClient}.
	 */
	live(options: Omit<LiveClientOptions, 'url' | 'apiKey'> = {}): LiveClient {
		if (!('Worker' in globalThis)) {
			throw new AuricleError('unsupported', 'Live streams need a browser.');
		}
		return new LiveClient({
			...options,
			url: this.#url,
			...(this.#apiKey === undefined ? {} : { apiKey: this.#apiKey }),
		});
	}
}

/** Background jobs of a server: `client.jobs`. */
export class Jobs {
	readonly #connection: Connection;

	constructor(connection: Connection) {
		this.#connection = connection;
	}

	/** Uploads a recording as a job; resolves when the server has accepted it. */
	async create(audio: AudioInput, options: JobOptions & RequestOptions = {}): Promise<Job> {
		const jobId = options.jobId ?? crypto.randomUUID();
		const recording = blobOf(audio);
		const fileName = options.fileName ?? fileNameOf(recording);
		const named = fileName === undefined ? {} : { fileName };
		return this.#connection.send(
			{
				method: 'POST',
				path: ['utterance'],
				query: { ...queryOf({ ...options, jobId, ...named }), wait: '0' },
				audio: recording,
				signal: options.signal,
			},
			decodeJob,
		);
	}

	/** Returns a job with its state, progress and text so far. */
	get(jobId: string, options: RequestOptions = {}): Promise<Job> {
		return this.#connection.send({ path: ['jobs', jobId], ...options }, decodeJob);
	}

	/**
	 * Returns a job's transcript once it has ended.
	 *
	 * Rejects with the job's error if it failed, `cancelled`, or `deadline_exceeded` if it has not ended in time; it then
	 * continues on the server. A server that does not answer is waited for, even at the first request: since there is a job,
	 * there is a server, which may be restarting.
	 */
	async wait(jobId: string, options: WaitOptions = {}): Promise<Transcript> {
		const { timeoutSeconds = Infinity, onProgress, signal } = options;
		const deadlineSeconds = nowSeconds() + timeoutSeconds;
		for (let pause = FIRST_POLL_SECONDS; ; pause = Math.min(pause * POLL_GROWTH, MAX_POLL_SECONDS)) {
			const patienceSeconds = Math.max(0, deadlineSeconds - nowSeconds());
			const job = await this.#connection.send(
				{ path: ['jobs', jobId], isKnown: true, patienceSeconds, signal },
				decodeJob,
			);
			onProgress?.(job);
			if (hasEnded(job)) {
				return transcriptOf(job);
			}
			const leftSeconds = deadlineSeconds - nowSeconds();
			if (leftSeconds <= 0) {
				throw new ApiError('deadline_exceeded', `Job ${jobId} is still ${job.state}; wait for it again.`);
			}
			await sleep(Math.min(pause, leftSeconds), signal);
		}
	}

	/** Iterates over the states of a job, until it has ended; survives lost connections. */
	async *events(jobId: string, options: RequestOptions = {}): AsyncGenerator<Job, void> {
		let retries = this.#connection.retries({ isKnown: true, ...options }); // as in wait()
		for (;;) {
			let failure: unknown = new ApiError('unreachable', 'The stream of events ended early.', 0, true);
			try {
				for await (const line of this.#connection.lines({ path: ['jobs', jobId, 'events'], ...options })) {
					if (line.startsWith('data:')) {
						const job = decodeBody(line.slice('data:'.length), decodeJob);
						retries = this.#connection.retries(options);
						yield job;
						if (hasEnded(job)) {
							return;
						}
					}
				}
			} catch (error) {
				failure = error;
			}
			await retries.pause(failure);
		}
	}

	/** Iterates over the jobs of the key, the newest first; with `states`, only those in them. */
	list(
		options: ListOptions & { readonly states?: readonly JobState[] } = {},
	): AsyncGenerator<JobSummary, void> {
		const { states = [], limit = DEFAULT_ITEMS, signal } = options;
		const query: Record<string, string> = states.length > 0 ? { state: states.join(',') } : {};
		return this.#connection.items({ path: ['jobs'], query, signal }, limit, decodeJobs);
	}

	/** Cancels a job that is queued or running, or deletes one that has ended with its text. */
	delete(jobId: string, options: RequestOptions = {}): Promise<Job> {
		return this.#connection.send(
			{ method: 'DELETE', path: ['jobs', jobId], isRepeatable: false, ...options },
			decodeJob,
		);
	}
}

/**
 * Transcripts that a server keeps: `client.transcripts`.
 *
 * It keeps them only with `AURICLE_KEEP_TRANSCRIPTS=1`; otherwise all methods reject with `not_found`. They need the key:
 * tokens are refused.
 */
export class Transcripts {
	readonly #connection: Connection;

	constructor(connection: Connection) {
		this.#connection = connection;
	}

	/** Iterates over the kept transcripts of the key, the newest first. */
	list(filter: TranscriptFilter = {}): AsyncGenerator<TranscriptSummary, void> {
		const { limit = DEFAULT_ITEMS, signal } = filter;
		return this.#connection.items(
			{ path: TRANSCRIPTS, query: filterQuery(filter), signal },
			limit,
			decodeTranscripts,
		);
	}

	/** Iterates over segments that contain all words, in any order and case; the newest first. */
	search(words: string, filter: TranscriptFilter = {}): AsyncGenerator<Match, void> {
		const { limit = DEFAULT_ITEMS, signal } = filter;
		const query = { q: words, ...filterQuery(filter) };
		return this.#connection.items({ path: TRANSCRIPTS, query, signal }, limit, decodeMatches);
	}

	/** Returns a transcript with its segments. */
	get(id: string, options: RequestOptions = {}): Promise<KeptTranscript> {
		return this.#connection.send({ path: [...TRANSCRIPTS, id], ...options }, decodeKept);
	}

	/** Returns a transcript as text, subtitles, JSON or RTTM. */
	export(id: string, format: ExportFormat = 'txt', options: RequestOptions = {}): Promise<string> {
		return this.#connection.text({ path: [...TRANSCRIPTS, id], query: { format }, ...options });
	}

	/** Names a speaker, numbered from 0, and returns the transcript; an empty name removes the name. */
	renameSpeaker(
		id: string,
		speaker: number,
		name: string,
		options: RequestOptions = {},
	): Promise<KeptTranscript> {
		return this.#changeSpeaker(id, speaker, { name }, true, options);
	}

	/** Gives all segments of a speaker to another one, and returns the transcript. */
	mergeSpeakers(
		id: string,
		speaker: number,
		into: number,
		options: RequestOptions = {},
	): Promise<KeptTranscript> {
		return this.#changeSpeaker(id, speaker, { merge_into: into }, false, options);
	}

	/** Gives words to other speakers, and starts or joins paragraphs; returns the transcript. At most 100 changes. */
	changeParagraphs(
		id: string,
		changes: readonly ParagraphChange[],
		options: RequestOptions = {},
	): Promise<KeptTranscript> {
		const path = [...TRANSCRIPTS, id, 'paragraphs'];
		const json = {
			changes: changes.map(change => ({
				start_ms: Math.round(1000 * change.startSeconds),
				end_ms: Math.round(1000 * change.endSeconds),
				from_speaker: change.fromSpeaker,
				speaker: change.speaker,
				starts_paragraph: change.startsParagraph,
			})),
		};
		return this.#connection.send(
			{ method: 'PATCH', path, json, isRepeatable: false, ...options },
			decodeKept,
		);
	}

	/** Deletes a transcript; this can't be undone. */
	async delete(id: string, options: RequestOptions = {}): Promise<void> {
		await this.#connection.text({
			method: 'DELETE',
			path: [...TRANSCRIPTS, id],
			isRepeatable: false,
			...options,
		});
	}

	#changeSpeaker(
		id: string,
		speaker: number,
		json: unknown,
		isRepeatable: boolean,
		options: RequestOptions,
	): Promise<KeptTranscript> {
		const path = [...TRANSCRIPTS, id, 'speakers', String(speaker)];
		return this.#connection.send({ method: 'PATCH', path, json, isRepeatable, ...options }, decodeKept);
	}
}

/** Live sessions of the key, of every API: `client.sessions`. */
export class Sessions {
	readonly #connection: Connection;

	constructor(connection: Connection) {
		this.#connection = connection;
	}

	/** Returns the live sessions of the key, the oldest first. */
	list(options: RequestOptions = {}): Promise<readonly LiveSession[]> {
		return this.#connection.send({ path: ['v1', 'sessions'], ...options }, decodeSessions);
	}

	/** Creates a token that reads a live session and nothing else, for 1 to 86,400 seconds. */
	createReaderToken(id: string, seconds = 3600, options: RequestOptions = {}): Promise<Token> {
		const path = ['v1', 'sessions', id, 'token'];
		return this.#connection.send({ method: 'POST', path, json: { ttl_s: seconds }, ...options }, decodeToken);
	}
}

/** A speaker of a kept transcript, whose voice is to be known. */
export interface RememberedSpeaker {
	/** Name of the person; unique in the key. */
	readonly name: string;
	/** ID of the kept transcript. */
	readonly transcriptId: string;
	/** Number of the speaker, from 0. */
	readonly speaker: number;
	/** Whether the person has agreed; the server refuses otherwise. */
	readonly consent: boolean;
}

/**
 * Voices that the server knows for the key: `client.voices`.
 *
 * It knows them only if `AURICLE_KNOWN_VOICES` names the key; otherwise all methods reject with `not_found`. They need the
 * key: tokens are refused.
 */
export class Voices {
	readonly #connection: Connection;

	constructor(connection: Connection) {
		this.#connection = connection;
	}

	/** Returns the voices, in the order in which they were stored. */
	list(options: RequestOptions = {}): Promise<readonly KnownVoice[]> {
		return this.#connection.send({ path: VOICES, ...options }, decodeVoices);
	}

	/** Stores the voice of a speaker of a kept transcript, for a day after it was made. */
	remember(speaker: RememberedSpeaker, options: RequestOptions = {}): Promise<KnownVoice> {
		const { name, transcriptId: transcript, speaker: number, consent } = speaker;
		const json = { name, transcript, speaker: number, consent };
		return this.#connection.send(
			{ method: 'POST', path: VOICES, json, isRepeatable: false, ...options },
			decodeVoice,
		);
	}

	/** Deletes a voice, and its name in kept transcripts; this can't be undone. */
	async delete(id: string, options: RequestOptions = {}): Promise<void> {
		const path = [...VOICES, id];
		await this.#connection.text({ method: 'DELETE', path, isRepeatable: false, ...options });
	}
}

const VOICES = ['v1', 'voices'];
const TRANSCRIPTS = ['v1', 'transcripts'];

function filterQuery({ language, source, since, until }: TranscriptFilter): Record<string, string> {
	return {
		...(language === undefined ? {} : { language }),
		...(source === undefined ? {} : { source }),
		...(since === undefined ? {} : { since: String(since.getTime() / 1000) }),
		...(until === undefined ? {} : { until: String(until.getTime() / 1000) }),
	};
}

function hasEnded({ state }: Job): boolean {
	return state !== 'queued' && state !== 'running';
}

function transcriptOf(job: Job): Transcript {
	if (job.transcript === null) {
		throw job.error ?? new ApiError('cancelled', `Job ${job.id} was ${job.state}.`);
	}
	return job.transcript;
}

function checkedUrl(url: string): string {
	if (!/^https?:[^?#]+$/.test(url) || !URL.canParse(url)) {
		throw new AuricleError(
			'bad_parameters',
			`${url || 'An empty text'} is not a URL like https://captions.example.`,
		);
	}
	if (/\/v1\/*$/.test(url)) {
		throw new AuricleError('bad_parameters', `Omit /v1 in ${url}.`); // OpenAI's clients need it
	}
	return url.replace(/\/+$/, '');
}

function nowSeconds(): number {
	return performance.now() / 1000;
}
