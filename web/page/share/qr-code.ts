/** A QR code as a drawing: black on white with its quiet zone, also in dark pages, so that cameras read it. */

import { generate } from 'lean-qr';
import { toSvgPath } from 'lean-qr/extras/svg';

const SVG = 'http://www.w3.org/2000/svg';
/** ISO/IEC 18004: an empty edge of four modules. */
const QUIET_MODULES = 4;

/**
 * Returns the drawing of a text.
 *
 * @param text - What the code says.
 * @param label - Its accessible name.
 */
export function qrCode(text: string, label: string): SVGElement {
	const code = generate(text);
	const size = code.size + 2 * QUIET_MODULES;
	const drawing = svg('svg', {
		viewBox: `${-QUIET_MODULES} ${-QUIET_MODULES} ${size} ${size}`,
		role: 'img',
		'aria-label': label,
		'shape-rendering': 'crispEdges',
		class: 'qr',
	});
	const ground = { x: String(-QUIET_MODULES), y: String(-QUIET_MODULES) };
	drawing.append(
		svg('rect', { ...ground, width: String(size), height: String(size), fill: '#ffffff' }),
		svg('path', { d: toSvgPath(code), fill: '#000000' }),
	);
	return drawing;
}

function svg(name: string, attributes: Readonly<Record<string, string>>): SVGElement {
	const element = document.createElementNS(SVG, name);
	for (const [attribute, value] of Object.entries(attributes)) {
		element.setAttribute(attribute, value);
	}
	return element;
}
