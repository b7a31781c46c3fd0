/** The link before the navigation that moves the focus to the content of a page. */

import { byId } from './dom.js';

/** Lets the link work; its address stays as it is, since a fragment names a place of the page. */
export function bindSkipLink(): void {
	byId('skip', HTMLAnchorElement).addEventListener('click', event => {
		event.preventDefault();
		byId('content', HTMLElement).focus();
	});
}
