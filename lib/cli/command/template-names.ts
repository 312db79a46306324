/** Names of the templates that come with sbx, for shells to complete. */
export async function templateNames(partial: string): Promise<string[]> {
  const { builtinTemplates } = await import('../../config/load/templates.ts');
  return (await builtinTemplates()).filter((name) => name.startsWith(partial));
}
