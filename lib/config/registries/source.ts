/** What is known of one tool's registries: where its configuration lies, and what it says. */

export interface ToolPlaces {
  env: NodeJS.ProcessEnv;
  /** The user's home */
  home: string;
}

export interface RegistrySource {
  /** Environment variables that it depends on */
  variables: RegExp;
  /** Absolute paths; the answer is asked for again when one of them changes */
  files(places: ToolPlaces): string[];
  /** As the tool would use them, the main one first; those that are no http or https URL are left out later */
  urls(places: ToolPlaces): Promise<string[]>;
}
