/** Options in the fragment of the readers' page. Pure. */

const DEFAULT_LINES = 3;
const MAX_LINES = 20;
const DEFAULT_SIZE_PERCENT = 4;
const MIN_SIZE_PERCENT = 1;
const MAX_SIZE_PERCENT = 12;
/** Colours that a mixer can make transparent: those of cloths in studios, and one that skin has nothing of. */
const KEY_COLOURS: Readonly<Record<string, string>> = {
	green: '#00b140',
	blue: '#0047bb',
	magenta: '#ff00ff',
};

/** Options of the readers' page. */
export interface ReaderOptions {
	/** Empty: the address has none. */
	readonly session: string;
	readonly token: string;
	/** Rows of text that are shown, at most. */
	readonly lines: number;
	/** Height of the letters, in percent of the width of the view. */
	readonly sizePercent: number;
	/** A colour of CSS, or `transparent`; `null` for black. */
	readonly background: string | null;
}

/**
 * Returns the options of a fragment such as `#session=ID&token=TOKEN&lines=2&size=5&background=green`; invalid ones have
 * their default.
 */
export function readerOptions(fragment: string): ReaderOptions {
	const options = new URLSearchParams(fragment.replace(/^#/, ''));
	const lines = within(options.get('lines'), 1, MAX_LINES, DEFAULT_LINES);
	return {
		session: options.get('session') ?? '',
		token: options.get('token') ?? '',
		lines: Math.floor(lines),
		sizePercent: within(options.get('size'), MIN_SIZE_PERCENT, MAX_SIZE_PERCENT, DEFAULT_SIZE_PERCENT),
		background: colour(options.get('background') ?? ''),
	};
}

function within(text: string | null, min: number, max: number, otherwise: number): number {
	const value = Number(text ?? NaN);
	return value >= min && value <= max ? value : otherwise;
}

function colour(name: string): string | null {
	if (name === 'transparent') {
		return name;
	}
	if (Object.hasOwn(KEY_COLOURS, name)) {
		return KEY_COLOURS[name] ?? null;
	}
	return /^([0-9a-f]{3}|[0-9a-f]{6})$/i.test(name) ? `#${name}` : null;
}
