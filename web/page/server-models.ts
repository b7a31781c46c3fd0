/** Asks the page's server for its models, and where speech and text go. */

import { type DataFlow, dataFlowOf, type ServedModel, servedModels } from './models.js';

/** What a server says of itself. */
export interface ServerModels {
	readonly models: readonly ServedModel[];
	/** `null`: unknown. */
	readonly dataFlow: DataFlow | null;
}

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
		return { models: servedModels(body), dataFlow: dataFlowOf(body) };
	} catch {
		return null;
	}
}
