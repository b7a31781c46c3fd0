/** The places of the page: Live, Recordings and Vocabularies, chosen by the address's fragment, so that none ends another. */

/** A place; `id`, of a recording or a vocabulary, is `null` for the list alone. */
export type Place =
	{ readonly name: 'live' } | { readonly name: 'recordings' | 'vocabularies'; readonly id: string | null };

/** Returns the place of a fragment such as `#recordings/ID`; `live` for all others. */
export function parsePlace(fragment: string): Place {
	const found = /^#(?<name>recordings|vocabularies)(?:\/(?<id>.+))?$/.exec(fragment);
	const { name, id } = found?.groups ?? {};
	if (name !== 'recordings' && name !== 'vocabularies') {
		return { name: 'live' };
	}
	return { name, id: id === undefined ? null : decoded(id) };
}

/** Returns the fragment of a place. */
export function fragmentOf(place: Place): string {
	const id = place.name === 'live' || place.id === null ? '' : `/${encodeURIComponent(place.id)}`;
	return `#${place.name}${id}`;
}

/** Shows the place of the address, now and after each change. */
export class Places {
	readonly #whenEntered: (place: Place) => void;

	/** @param whenEntered - Called for the first place and after each change of the address. */
	constructor(whenEntered: (place: Place) => void) {
		this.#whenEntered = whenEntered;
		window.addEventListener('hashchange', () => this.show());
	}

	/** The place of the address. */
	get current(): Place {
		return parsePlace(location.hash);
	}

	/** Goes to a place; Back returns. */
	go(place: Place): void {
		location.hash = fragmentOf(place);
	}

	/** Shows the section and marks the link of the current place. */
	show(): void {
		const place = this.current;
		for (const section of document.querySelectorAll<HTMLElement>('[data-place]')) {
			section.hidden = section.dataset['place'] !== place.name;
		}
		for (const link of document.querySelectorAll<HTMLElement>('[data-place-link]')) {
			if (link.dataset['placeLink'] === place.name) {
				link.setAttribute('aria-current', 'page');
			} else {
				link.removeAttribute('aria-current');
			}
		}
		this.#whenEntered(place);
	}
}

function decoded(id: string): string {
	try {
		return decodeURIComponent(id);
	} catch {
		return id; // a damaged address: nothing has this ID
	}
}
