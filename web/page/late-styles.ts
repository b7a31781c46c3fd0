/** Styles of what is loaded on use. */

const adopted = new Set<string>();

/** Applies styles to the page, once: its policy allows no other late styles. */
export function adoptStyles(styles: string): void {
	if (!adopted.has(styles)) {
		adopted.add(styles);
		const sheet = new CSSStyleSheet();
		sheet.replaceSync(styles);
		document.adoptedStyleSheets.push(sheet);
	}
}
