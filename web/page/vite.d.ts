/** Files that Vite builds as separate worker or worklet files; the import returns their address. */
declare module '*?worker&url' {
	const url: string;
	export default url;
}
