/** Scripts for the guest are imported as text: the module type `text` of rolldown, the loader `text` of esbuild, a plugin of vitest (vitest.config.ts). */

declare module '*.pl' {
  const text: string;
  export default text;
}

declare module '*.sh' {
  const text: string;
  export default text;
}
