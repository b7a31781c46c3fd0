/** Elements, made by calls: the page's policy lets no markup with styles or scripts in. */

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

/** A table whose rows are kept as long as their key is there, so that nothing flickers or loses the focus. */
export class Rows {
	readonly #body: HTMLElement;
	readonly #rows = new Map<string, HTMLTableRowElement>();

	constructor(body: HTMLElement) {
		this.#body = body;
	}

	/** Shows cells: the first one of each row is its heading. */
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

/** What stands in a cell. */
export type Cell = string | { readonly text: string; readonly look: string };
