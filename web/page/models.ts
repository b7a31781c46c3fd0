/** What a server says of itself at `/v1/models`: its models and APIs, and where speech and text go. Pure. */

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

/** Where speech and text go from the server. */
export interface DataFlow {
	/** Whether recognisers receive the speech; they may run on other machines. */
	readonly usesRecognisers: boolean;
	/** Whether the audio of jobs is stored in an S3 service. */
	readonly usesS3: boolean;
	/** Whether jobs and kept transcripts are stored in PostgreSQL. */
	readonly usesPostgres: boolean;
	/** Whether the server keeps transcripts. */
	readonly keepsTranscripts: boolean;
}

/** Returns where speech and text go, by a response; `null`: it does not say. */
export function dataFlowOf(body: unknown): DataFlow | null {
	const flow = isObject(body) ? body['data_flow'] : null;
	if (!isObject(flow)) {
		return null;
	}
	return {
		usesRecognisers: flow['recognition'] !== 'server',
		usesS3: flow['job_audio'] !== 'server',
		usesPostgres: flow['database'] !== 'server',
		keepsTranscripts: flow['keeps_transcripts'] === true,
	};
}

/** Returns the names of the APIs that the server has, by a response; none if it does not say. */
export function servedApis(body: unknown): ReadonlySet<string> {
	const apis = isObject(body) ? body['apis'] : null;
	return new Set(Array.isArray(apis) ? apis.filter(name => typeof name === 'string') : []);
}

/** Returns whether speech and text stay on the server. */
export function isLocal({ usesRecognisers, usesS3, usesPostgres }: DataFlow): boolean {
	return !usesRecognisers && !usesS3 && !usesPostgres;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === 'object' && value !== null;
}
