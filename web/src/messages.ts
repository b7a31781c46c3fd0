/** What the page, its worker and its worklet say to each other. */

import type { ClientRules } from './backoff.js';
import type { Format } from './conversation.js';
import type { SessionEvent } from './live-session.js';
import type { Change, StreamParameters } from './parameters.js';

/** The first message to the worker. */
export interface Begin {
	readonly kind: 'begin';
	readonly url: string;
	/** `null`: the page is to be asked for one before each connection. */
	readonly apiKey: string | null | undefined;
	readonly parameters: StreamParameters;
	readonly rules: ClientRules;
	/** Opus gives way to PCM where there is no encoder. */
	readonly format: Format;
}

/** Page to worker. */
export type ToWorker =
	| Begin
	/** Sound comes on this port from now on, as {@link FromWorklet}. */
	| { readonly kind: 'listen'; readonly port: MessagePort; readonly rateHz: number }
	| { readonly kind: 'push'; readonly samples: Float32Array; readonly rateHz: number }
	| { readonly kind: 'key'; readonly key: string | null }
	| { readonly kind: 'finalize' }
	| { readonly kind: 'configure'; readonly change: Change }
	| { readonly kind: 'finish' };

/** Worker to page. */
export type FromWorker =
	| { readonly kind: 'event'; readonly event: SessionEvent }
	| { readonly kind: 'key' }
	| { readonly kind: 'over' }
	| { readonly kind: 'failed'; readonly code: string; readonly message: string };

/** Worklet to worker: samples, and `null` once there are no more. */
export type FromWorklet = Float32Array | null;

/** Page to worklet: where to send the samples; and the end. */
export type ToWorklet = { readonly kind: 'send'; readonly port: MessagePort } | { readonly kind: 'stop' };

/** What the worklet's processor is called. */
export const PROCESSOR_NAME = 'auricle-capture';
