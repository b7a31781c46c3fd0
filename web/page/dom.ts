/** Elements of the page. */

/**
 * Returns the element with an ID.
 *
 * @throws Error if there is none of this type.
 */
export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
	const element = document.getElementById(id);
	if (!(element instanceof kind)) {
		throw new Error(`the page has no such #${id}`);
	}
	return element;
}

/** Sets an element's text if it differs. */
export function setText(element: HTMLElement, text: string): void {
	if (element.textContent !== text) {
		element.textContent = text; // a live region announces every assignment, even of the same text
	}
}
