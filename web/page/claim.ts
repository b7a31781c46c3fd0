/** Which tab writes a kept transcript: two tabs would overwrite each other's lines. */

/** The other page of a reload or a return needs a moment to end. */
const PATIENCE_MILLISECONDS = 1500;

/** Returns an ID for a transcript. */
export function newId(): string {
	const bytes = crypto.getRandomValues(new Uint8Array(16)); // `randomUUID` is missing over plain HTTP
	return [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('');
}

/** A transcript's ID, for this tab only. */
export class Claim {
	readonly id: string;
	#taken: Promise<boolean> | null = null;
	#release: () => void = () => undefined;

	/** @param id - ID of the transcript. */
	constructor(id: string) {
		this.id = id;
	}

	/** Takes it until this page ends or {@link release}; returns whether no other tab has it. */
	take(): Promise<boolean> {
		return (this.#taken ??= this.#request());
	}

	/** Lets other tabs take it. */
	release(): void {
		this.#taken = null;
		this.#release();
	}

	#request(): Promise<boolean> {
		const { locks } = navigator as Partial<Navigator>; // missing over plain HTTP
		if (locks === undefined) {
			return Promise.resolve(true);
		}
		return new Promise(resolve => {
			const signal = AbortSignal.timeout(PATIENCE_MILLISECONDS);
			const hold = (): Promise<void> => {
				resolve(true);
				window.addEventListener('pagehide', () => this.release(), { once: true }); // Back may keep this page
				return new Promise(release => (this.#release = release));
			};
			locks.request(`auricle.transcript.${this.id}`, { signal }, hold).catch(() => resolve(false));
		});
	}
}
