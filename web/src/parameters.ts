/** Parameters of a stream, checked before anything is sent. Pure. */

import { AuricleError } from './errors.js';

/** Parameters of each session; omitted ones have the server's defaults. */
export interface StreamParameters {
	/** A model, as `GET /v1/models` of the server lists it; omitted or empty: its default. At most 200 characters. */
	readonly model?: string;
	/** A code such as `en`; `null` or omitted: detected for each utterance. */
	readonly language?: string | null;
	/** Possible languages if `language` is omitted; if omitted: any. */
	readonly languages?: readonly string[];
	/** Whether the text is never in another language than `language`, even if the speech is. */
	readonly strictLanguage?: boolean;
	/** `translate`: to English. */
	readonly task?: 'transcribe' | 'translate';
	/** Text that the model treats as preceding: at most 10,000 characters. */
	readonly prompt?: string | null;
	/** Expected words: at most 500, each up to 100 characters. */
	readonly hotwords?: readonly string[];
	/** Name of a vocabulary of the key; omitted or empty: its default one, if there is one. */
	readonly vocabulary?: string;
	/** Whether partials are sent; default: yes. */
	readonly partials?: boolean;
	/** Silence that ends an utterance: 100 to 5000; default: the server's setting. */
	readonly endpointMilliseconds?: number;
	/** Whether finals include the times of words. */
	readonly wordTimestamps?: boolean;
	/** Whether finals say who speaks; costs the server processor time. */
	readonly speakers?: boolean;
	/** Number of speakers, 1 to 16; estimated if omitted. */
	readonly numSpeakers?: number;
	/** Whether utterances end where the speaker sounds finished; costs the server processor time. */
	readonly turnDetection?: boolean;
	/** Probability from which one ends early: 0 to 1; like the next two, it requests turn detection. */
	readonly turnThreshold?: number;
	/** The same for an `eager_final`; omitted: there are none. */
	readonly turnEagerThreshold?: number;
	/** Silence that ends an utterance in any case: 500 to 60000. */
	readonly turnLimitMilliseconds?: number;
	/**
	 * Maximum delay of finals: 1 to 60. Speech whose final would come later is dropped, the oldest first, and reported with
	 * the error `too_late`; omitted: the server's setting, and usually none is dropped.
	 */
	readonly maxLagSeconds?: number;
}

/** Parameters that can change during a stream. */
export type Change = Pick<
	StreamParameters,
	'model' | 'language' | 'task' | 'prompt' | 'hotwords' | 'endpointMilliseconds'
>;

const MAX_MODEL_CHARACTERS = 200;
const MAX_PROMPT_CHARACTERS = 10_000;
/** Limits of `hotwords`. */
export const MAX_HOTWORDS = 500;
export const MAX_HOTWORD_CHARACTERS = 100;
const MIN_ENDPOINT_MILLISECONDS = 100;
const MAX_ENDPOINT_MILLISECONDS = 5000;
const MAX_SPEAKERS = 16;
const MIN_MAX_LAG_SECONDS = 1;
const MAX_MAX_LAG_SECONDS = 60;

/**
 * Checks parameters against the server's limits.
 *
 * @throws {@link AuricleError} `bad_parameters`: the server would reject one.
 */
export function checkParameters(parameters: StreamParameters): void {
	const { model, prompt, hotwords = [], endpointMilliseconds: endpoint, numSpeakers } = parameters;
	if ((model?.length ?? 0) > MAX_MODEL_CHARACTERS) {
		throw bad(`The model must have at most ${MAX_MODEL_CHARACTERS} characters.`);
	}
	if ((prompt?.length ?? 0) > MAX_PROMPT_CHARACTERS) {
		throw bad(`The prompt must have at most ${MAX_PROMPT_CHARACTERS} characters.`);
	}
	if (hotwords.length > MAX_HOTWORDS || hotwords.some(word => word.length > MAX_HOTWORD_CHARACTERS)) {
		throw bad(
			`There may be at most ${MAX_HOTWORDS} hotwords, of up to ${MAX_HOTWORD_CHARACTERS} characters each.`,
		);
	}
	const inRange =
		endpoint === undefined ||
		(Number.isInteger(endpoint) &&
			endpoint >= MIN_ENDPOINT_MILLISECONDS &&
			endpoint <= MAX_ENDPOINT_MILLISECONDS);
	if (!inRange) {
		throw bad(
			`endpointMilliseconds must be a whole number from ${MIN_ENDPOINT_MILLISECONDS} to ` +
				`${MAX_ENDPOINT_MILLISECONDS}, not ${endpoint}.`,
		);
	}
	const isCount =
		Number.isInteger(numSpeakers) && Number(numSpeakers) >= 1 && Number(numSpeakers) <= MAX_SPEAKERS;
	if (numSpeakers !== undefined && !isCount) {
		throw bad(`numSpeakers must be a whole number from 1 to ${MAX_SPEAKERS}, not ${numSpeakers}.`);
	}
	const { maxLagSeconds: lag } = parameters;
	if (lag !== undefined && !(lag >= MIN_MAX_LAG_SECONDS && lag <= MAX_MAX_LAG_SECONDS)) {
		throw bad(`maxLagSeconds must be from ${MIN_MAX_LAG_SECONDS} to ${MAX_MAX_LAG_SECONDS}, not ${lag}.`);
	}
}

/**
 * Returns the address of a server's live sessions; `url` is its base URL, with http or ws.
 *
 * @throws {@link AuricleError} `bad_parameters`: it is not a URL.
 */
export function streamUrl(url: string): URL {
	const parsed = URL.canParse(url) ? new URL(url) : null;
	const scheme = parsed === null ? undefined : SCHEMES[parsed.protocol];
	if (parsed === null || scheme === undefined) {
		throw bad(`${url} is not a URL like https://captions.example.`);
	}
	const path = parsed.pathname.replace(/\/+$/, '').replace(/\/v1\/stream$/, '');
	return new URL(`${scheme}//${parsed.host}${path}/v1/stream`);
}

const SCHEMES: Readonly<Record<string, string>> = {
	'http:': 'ws:',
	'https:': 'wss:',
	'ws:': 'ws:',
	'wss:': 'wss:',
};

function bad(message: string): AuricleError {
	return new AuricleError('bad_parameters', message);
}
