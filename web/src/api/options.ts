/** Options of a transcription, and their query. Pure. */

/** A recording: a file or its content. In Node, `await openAsBlob(path)` of `node:fs` opens a file. */
export type AudioInput = Blob | ArrayBuffer | Uint8Array<ArrayBuffer>;

/** Options of a transcription; omitted ones have the server's defaults. */
export interface TranscribeOptions {
	/** A model, as `GET /v1/models` of the server lists it. */
	readonly model?: string;
	/** A code such as `en`; detected if omitted. */
	readonly language?: string;
	/** Languages that detection is restricted to. */
	readonly languages?: readonly string[];
	/** Whether the text is never in another language than `language`, even if the speech is. */
	readonly strictLanguage?: boolean;
	/** `translate`: to English. */
	readonly task?: 'transcribe' | 'translate';
	/** 1 to 20; 1 is fastest. */
	readonly beamSize?: number;
	/** Text that the model treats as preceding the audio. */
	readonly initialPrompt?: string;
	/** Words to expect. */
	readonly hotwords?: readonly string[];
	/** Name of a vocabulary of the key; if omitted: its default one, if there is one. */
	readonly vocabulary?: string;
	/** Whether to return the times of words. */
	readonly wordTimestamps?: boolean;
	/** Whether to label the speakers. */
	readonly speakers?: boolean;
	/** Number of speakers, 1 to 16, if it is known. */
	readonly numSpeakers?: number;
	/** Lower limit of their number. */
	readonly minSpeakers?: number;
	/** Upper limit of their number. */
	readonly maxSpeakers?: number;
	/** Whether to transcribe each channel apart. */
	readonly multichannel?: boolean;
	/** Whether chunks get the preceding text as context. */
	readonly conditionOnPreviousText?: boolean;
	/** Format of the audio; detected if omitted. */
	readonly audioFormat?: string;
	/** Rate of `pcm16`, in Hz. */
	readonly sampleRate?: number;
	/** Channels of `pcm16`. */
	readonly channels?: number;
	/** The server's deadline. */
	readonly maxWaitSeconds?: number;
	/** A name that is logged and returned. */
	readonly traceId?: string;
}

/** Options of a background job. */
export interface JobOptions extends TranscribeOptions {
	/** ID of the job: the same ID with the same audio and options is the same job. A random one if omitted. */
	readonly jobId?: string;
	/** Name of the recording in lists of jobs; that of the `File` if omitted. */
	readonly fileName?: string;
	/** How long the server keeps the audio after the end. */
	readonly keepAudioSeconds?: number;
	/** URL to which the server sends the job at its end. */
	readonly callbackUrl?: string;
	/** Types of further events that it gets: `job.progress`, `transcript.kept`. */
	readonly webhookEvents?: readonly string[];
}

/** Names of the server's parameters; the compiler finds an option that is missing here. */
const NAMES: Record<keyof JobOptions, string> = {
	model: 'model',
	language: 'language',
	languages: 'languages',
	strictLanguage: 'strict_language',
	task: 'task',
	beamSize: 'beam_size',
	initialPrompt: 'initial_prompt',
	hotwords: 'hotwords',
	vocabulary: 'vocabulary',
	wordTimestamps: 'word_timestamps',
	speakers: 'speakers',
	numSpeakers: 'num_speakers',
	minSpeakers: 'min_speakers',
	maxSpeakers: 'max_speakers',
	multichannel: 'multichannel',
	conditionOnPreviousText: 'condition_on_previous_text',
	audioFormat: 'audio_format',
	sampleRate: 'sample_rate',
	channels: 'channels',
	maxWaitSeconds: 'max_wait_s',
	traceId: 'trace_id',
	jobId: 'job_id',
	fileName: 'file_name',
	keepAudioSeconds: 'keep_audio_s',
	callbackUrl: 'callback_url',
	webhookEvents: 'webhook_events',
};

/** As in the server's `limits.py`. */
const MAX_FILE_NAME_CHARACTERS = 255;

/** Returns the name of a recording as the server accepts it; `undefined` if the recording has none. */
export function fileNameOf(audio: Blob): string | undefined {
	if (!('name' in audio) || typeof audio.name !== 'string') {
		return undefined; // not `File`, which Node 20 does not have as a global
	}
	const name = Array.from(audio.name.replace(/\p{Cc}/gu, '?')); // the server counts code points
	return name.slice(0, MAX_FILE_NAME_CHARACTERS).join('');
}

/** Returns the query for options; those that the server has no parameter for are left out. */
export function queryOf(options: JobOptions): Record<string, string> {
	const query: Record<string, string> = {};
	for (const [name, parameter] of Object.entries(NAMES)) {
		const value = options[name as keyof JobOptions];
		if (value !== undefined) {
			query[parameter] = String(value); // an array becomes a list with commas
		}
	}
	return query;
}

/**
 * Returns a recording as a body of known size.
 *
 * @throws TypeError: It is something else, such as a path or samples.
 */
export function blobOf(audio: AudioInput): Blob {
	if (audio instanceof Blob) {
		return audio;
	}
	const given: unknown = audio;
	if (typeof given !== 'object' || given === null || given instanceof Float32Array) {
		throw new TypeError(
			'The audio must be a Blob, ArrayBuffer or Uint8Array; openAsBlob(path) opens a file in Node.',
		);
	}
	return new Blob([audio]);
}
