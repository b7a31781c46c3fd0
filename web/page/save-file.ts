/** Saving a file from the page. */

import { element } from './dom.js';

/** Saves a file under a name, as the browser does with downloads. */
export function saveFile(content: Blob, name: string): void {
	const link = element('a');
	link.href = URL.createObjectURL(content);
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // Safari reads it later
}
