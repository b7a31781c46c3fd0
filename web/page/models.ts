/** The models that a server lists at `/v1/models`. Pure. */

/** A model of the server. */
export interface ServedModel {
	readonly id: string;
	/** Codes of the languages that it transcribes; `null`: unknown. */
	readonly languages: ReadonlySet<string> | null;
	/** Whether it translates into English. */
	readonly translates: boolean;
}

/** Returns the models of a response, the default first; names that mean another model are left out. */
export function servedModels(body: unknown): readonly ServedModel[] {
	const data = isObject(body) ? body['data'] : null;
	const listed = Array.isArray(data) ? data.filter(isObject) : [];
	return listed.flatMap(({ id, root, languages, translates }) => {
		if (typeof id !== 'string' || root !== id) {
			return [];
		}
		const codes = Array.isArray(languages)
			? new Set(languages.filter(code => typeof code === 'string'))
			: null;
		return [{ id, languages: codes, translates: translates === true }];
	});
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === 'object' && value !== null;
}
