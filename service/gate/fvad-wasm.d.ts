declare module "@echogarden/fvad-wasm" {
  /** Loads the WebAssembly module; the package has no types of its own. */
  // biome-ignore lint/suspicious/noExplicitAny: voice.ts says what it takes it for.
  const load: () => Promise<any>;
  export default load;
}
