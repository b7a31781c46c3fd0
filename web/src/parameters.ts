/** What an application asks of a stream, checked before anything is sent. Pure. */

import { AuricleError } from './errors.js';

/** What is asked of each session; what is left out is the server's default. */
export interface StreamParameters {
	/** A code as `en`; `null` or left out: it is detected, for each utterance. */
	readonly language?: string | null;
	/** Codes that an utterance can be in, where `language` is left out; left out: any. */
	readonly languages?: readonly string[];
	/** `translate`: to English. */
	readonly task?: 'transcribe' | 'translate';
	/** Text that the model takes as having come before: at most 4000 characters. */
	readonly prompt?: string | null;
	/** Words to expect: at most 100 of 100 characters each. */
	readonly hotwords?: readonly string[];
	/** Whether guesses are sent; yes if left out. */
	readonly partials?: boolean;
	/** So much silence ends an utterance: 100 to 5000, 500 if left out. */
	readonly endpointMilliseconds?: number;
	/** Whether finals bring each word's time. */
	readonly wordTimestamps?: boolean;
}

/** What can be changed while a stream goes on. */
export type Change = Pick<StreamParameters, 'language' | 'prompt' | 'endpointMilliseconds'>;

const MAX_PROMPT_CHARACTERS = 4000;
const MAX_HOTWORDS = 100;
const MAX_HOTWORD_CHARACTERS = 100;
const MIN_ENDPOINT_MILLISECONDS = 100;
const MAX_ENDPOINT_MILLISECONDS = 5000;

/**
 * Lets through what the server takes.
 *
 * @throws {@link AuricleError} `bad_parameters`: it would not take that.
 */
export function checkParameters(asked: StreamParameters): void {
	const { prompt, hotwords = [], endpointMilliseconds: endpoint } = asked;
	if ((prompt?.length ?? 0) > MAX_PROMPT_CHARACTERS) {
		throw bad(`A prompt has at most ${MAX_PROMPT_CHARACTERS} characters.`);
	}
	if (hotwords.length > MAX_HOTWORDS || hotwords.some(word => word.length > MAX_HOTWORD_CHARACTERS)) {
		throw bad(`There may be ${MAX_HOTWORDS} hotwords of at most ${MAX_HOTWORD_CHARACTERS} characters each.`);
	}
	const inRange =
		endpoint === undefined ||
		(Number.isInteger(endpoint) &&
			endpoint >= MIN_ENDPOINT_MILLISECONDS &&
			endpoint <= MAX_ENDPOINT_MILLISECONDS);
	if (!inRange) {
		throw bad(
			`endpointMilliseconds is a whole number from ${MIN_ENDPOINT_MILLISECONDS} to ` +
				`${MAX_ENDPOINT_MILLISECONDS}, not ${endpoint}.`,
		);
	}
}

/**
 * Returns the address of a server's live sessions; `url` is its base, as http or as ws.
 *
 * @throws {@link AuricleError} `bad_parameters`: it is no address.
 */
export function streamUrl(url: string): URL {
	const found = URL.canParse(url) ? new URL(url) : null;
	const scheme = found === null ? undefined : SCHEMES[found.protocol];
	if (found === null || scheme === undefined) {
		throw bad(`${url} is not an address like https://captions.example.`);
	}
	const path = found.pathname.replace(/\/+$/, '').replace(/\/v1\/stream$/, '');
	return new URL(`${scheme}//${found.host}${path}/v1/stream`);
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
