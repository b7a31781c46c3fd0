/** Small values in the browser's storage; until the page ends if the browser forbids storage, as some private windows do. */

const inMemory = new Map<string, string>();

/** Returns a value from this tab's storage, or that of all tabs. */
export function stored(storage: 'localStorage' | 'sessionStorage', name: string): string | null {
	try {
		return window[storage].getItem(name);
	} catch {
		return inMemory.get(name) ?? null;
	}
}

/** Stores a value; `null` removes it. */
export function store(storage: 'localStorage' | 'sessionStorage', name: string, value: string | null): void {
	try {
		if (value === null) {
			window[storage].removeItem(name);
		} else {
			window[storage].setItem(name, value);
		}
	} catch {
		if (value === null) {
			inMemory.delete(name);
		} else {
			inMemory.set(name, value);
		}
	}
}
