/** Files that Vite builds as separate worker or worklet files; the import returns their address. */
declare module '*?worker&url' {
	const url: string;
	export default url;
}

/** Files that Vite copies; the import returns their address. */
declare module '*.mp3' {
	const url: string;
	export default url;
}

/** Minified styles as text. */
declare module '*.css?inline' {
	const styles: string;
	export default styles;
}
