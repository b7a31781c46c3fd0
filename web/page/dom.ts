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

/** Returns the text of an element that the user has edited, on one line: Firefox breaks pasted lines by elements. */
export function editedText(element: HTMLElement): string {
	return element.innerText.replace(/\s+/gu, ' ').trim();
}

/** Returns a new element with a class and content. */
export function element<K extends keyof HTMLElementTagNameMap>(
	tag: K,
	className = '',
	...content: (Node | string)[]
): HTMLElementTagNameMap[K] {
	const made = document.createElement(tag);
	made.className = className;
	made.append(...content);
	return made;
}

/** Returns a new button; its text is set by {@link setText}. */
export function pressButton(className: string, press: () => void): HTMLButtonElement {
	const made = element('button', className);
	made.type = 'button';
	made.addEventListener('click', press);
	return made;
}
