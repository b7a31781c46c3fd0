/** Files that Vite builds as a worker's or worklet's own; the import gives their address. */
declare module '*?worker&url' {
	const url: string;
	export default url;
}
