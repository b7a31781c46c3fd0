/** Elements of the page. */

/**
 * Returns the element that has an id.
 *
 * @throws Error if the page has none of this kind.
 */
export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
	const found = document.getElementById(id);
	if (!(found instanceof kind)) {
		throw new Error(`the page has no such #${id}`);
	}
	return found;
}

/** Lets an element speak, in whichever language the page is. */
export function setText(element: HTMLElement, text: string): void {
	if (element.textContent !== text) {
		element.textContent = text; // a live region reads out what is set, even if it is the same
	}
}
