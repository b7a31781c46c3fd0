/** The versions of a value, to undo changes. Pure. */

const MAX_VERSIONS = 100;

/** A value with its earlier versions. */
export class History<T> {
	#versions: T[];

	/** @param value - The first version. */
	constructor(value: T) {
		this.#versions = [value];
	}

	/** The current version. */
	get value(): T {
		return this.#versions.at(-1) as T;
	}

	/** Whether there is an earlier version. */
	get canUndo(): boolean {
		return this.#versions.length > 1;
	}

	/** Adds a version; the oldest ones are forgotten. */
	push(value: T): void {
		this.#versions = [...this.#versions, value].slice(-MAX_VERSIONS);
	}

	/** Starts again from a value that was changed elsewhere. */
	replace(value: T): void {
		this.#versions = [value];
	}

	/** Returns to the version before. */
	undo(): void {
		if (this.canUndo) {
			this.#versions.pop();
		}
	}
}
