/** Asks the page's server for its models and APIs, and where speech and text go. */

import { type DataFlow, dataFlowOf, servedApis, type ServedModel, servedModels } from './models.js';

/** What a server says of itself. */
export interface ServerModels {
	readonly models: readonly ServedModel[];
	/** `null`: unknown. */
	readonly dataFlow: DataFlow | null;
	/** Names of its APIs. */
	readonly apis: ReadonlySet<string>;
}

/** Name of the API that vocabularies are an optional part of. */
export const VOCABULARIES = 'vocabularies';

/**
 * Returns what the server says; `null` without an answer, and if it requires another key.
 *
 * @param key - The key for the server, encoded for headers.
 * @param signal - Ends the request.
 */
export async function serverModels(
	key: string | undefined,
	signal: AbortSignal | null = null,
): Promise<ServerModels | null> {
	const headers: Record<string, string> = key === undefined ? {} : { Authorization: `Bearer ${key}` };
	try {
		const answer = await fetch('v1/models', { headers, cache: 'no-store', signal });
		if (!answer.ok) {
			return null;
		}
		const body: unknown = await answer.json();
		return { models: servedModels(body), dataFlow: dataFlowOf(body), apis: servedApis(body) };
	} catch {
		return null;
	}
}
