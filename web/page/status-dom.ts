/** Creates elements by calls: the page's content security policy forbids inline styles and scripts. */

/** Returns a new element. */
export function element<Name extends keyof HTMLElementTagNameMap>(
	name: Name,
	look = '',
	text = '',
): HTMLElementTagNameMap[Name] {
	const made = document.createElement(name);
	if (look !== '') {
		made.className = look;
	}
	made.textContent = text;
	return made;
}

/** A table that keeps a row while its key exists, so that nothing flickers or loses the focus. */
export class Rows {
	readonly #body: HTMLElement;
	readonly #rows = new Map<string, HTMLTableRowElement>();

	constructor(body: HTMLElement) {
		this.#body = body;
	}

	/** Shows cells: the first cell of each row is its heading. */
	show(rows: readonly (readonly [key: string, cells: readonly Cell[]])[]): void {
		for (const [key, row] of this.#rows) {
			if (!rows.some(([kept]) => kept === key)) {
				row.remove();
				this.#rows.delete(key);
			}
		}
		rows.forEach(([key, cells], index) => {
			const row = this.#rows.get(key) ?? this.#add(key, cells.length);
			if (this.#body.children[index] !== row) {
				this.#body.insertBefore(row, this.#body.children[index] ?? null);
			}
			cells.forEach((cell, at) => {
				const { text, look = '' } = typeof cell === 'string' ? { text: cell } : cell;
				const place = row.children[at] as HTMLElement;
				if (place.textContent !== text) {
					place.textContent = text;
				}
				place.className = look;
			});
		});
	}

	#add(key: string, count: number): HTMLTableRowElement {
		const row = element('tr');
		const heading = element('th');
		heading.scope = 'row';
		row.append(heading, ...Array.from({ length: count - 1 }, () => element('td')));
		this.#rows.set(key, row);
		return row;
	}
}

/** Content of a cell. */
export type Cell = string | { readonly text: string; readonly look: string };
