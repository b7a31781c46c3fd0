/** Messages between the page, its worker and its worklet. */

import type { ClientRules } from './backoff.js';
import type { Format } from './conversation.js';
import type { SessionEvent } from './client-session.js';
import type { Change, StreamParameters } from './parameters.js';

/** The first message to the worker. */
export interface Begin {
	readonly kind: 'begin';
	readonly url: string;
	/** `null`: the worker asks the page for one before each connection. */
	readonly apiKey: string | null | undefined;
	readonly parameters: StreamParameters;
	readonly rules: ClientRules;
	/** Opus is replaced by PCM where there is no encoder. */
	readonly format: Format;
}

/** Page to worker. */
export type ToWorker =
	| Begin
	/** Audio arrives on this port from now on, as {@link FromWorklet}. */
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
	/** A change of {@link LiveClient.keptSeconds}. */
	| { readonly kind: 'kept'; readonly seconds: number }
	| { readonly kind: 'over' }
	| { readonly kind: 'failed'; readonly code: string; readonly message: string };

/** Worklet to worker: samples, then `null` at the end. */
export type FromWorklet = Float32Array | null;

/** Page to worklet: the port for the samples; and the end. */
export type ToWorklet = { readonly kind: 'send'; readonly port: MessagePort } | { readonly kind: 'stop' };

/** The name of the worklet's processor. */
export const PROCESSOR_NAME = 'auricle-capture';
