/** Files that are dropped anywhere on the page. */

/** Passes dropped files on, and marks the page (`dropping`) while some are dragged over it. */
export function acceptDrops(add: (files: readonly File[]) => void): void {
	const look = document.body.classList;
	const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
	document.addEventListener('dragover', event => {
		if (hasFiles(event)) {
			event.preventDefault();
			look.add('dropping');
		}
	});
	document.addEventListener('dragleave', event => {
		if (event.relatedTarget === null) {
			look.remove('dropping');
		}
	});
	document.addEventListener('drop', event => {
		look.remove('dropping');
		if (hasFiles(event)) {
			event.preventDefault();
			add([...(event.dataTransfer?.files ?? [])]);
		}
	});
}
