/** Files and folders, at any depth, that programs of the host obey without asking. */

interface SettingsRow {
  /** Names of files or folders */
  names: readonly string[];
  reason: string;
}

export const SETTINGS_ROWS: Readonly<Record<string, SettingsRow>> = {
  'settings-sbx': { names: ['sandbox.toml', 'sandbox.lock'], reason: 'sbx takes the rights of the sandbox from it' },
  'settings-agent': {
    names: [
      '.claude',
      '.codex',
      '.gemini',
      '.copilot',
      '.opencode',
      '.qwen',
      '.kiro',
      '.mcp.json',
      'opencode.json',
      'opencode.jsonc',
      '.aider.conf.yml',
    ],
    reason: 'an agent on the host runs hooks and servers that it names',
  },
  'settings-editor': {
    names: [
      '.cursor',
      '.windsurf',
      '.zed',
      '.vscode',
      '.idea',
      '.devcontainer',
      '.devcontainer.json',
      '.helix',
      '.exrc',
      '.vimrc',
      '.nvimrc',
      '.nvim.lua',
      '.dir-locals.el',
    ],
    reason: 'an editor on the host runs tasks and tools that it names',
  },
  'settings-shell': {
    names: [
      '.envrc',
      '.direnv',
      'mise.toml',
      '.mise.toml',
      'mise.local.toml',
      '.mise.local.toml',
      '.miserc.toml',
      // Also in `.config`
      'mise',
      '.mise',
    ],
    reason: 'a shell on the host runs it when the user enters the folder',
  },
  'settings-tools': {
    // asdf, Volta and mise: also a version of Node can be the path of a program.
    names: ['.tool-versions', '.volta', '.node-version', '.nvmrc'],
    reason: 'a shim of the host, for example of `node`, runs what it names',
  },
  'settings-hooks': {
    names: [
      '.husky',
      '.pre-commit-config.yaml',
      'lefthook.yml',
      'lefthook.yaml',
      '.lefthook.yml',
      'lefthook-local.yml',
      '.lefthook',
    ],
    reason: 'a git hook that is installed on the host runs commands that it names',
  },
  'settings-vcs': {
    names: ['.hg', '.sl', '.jj'],
    reason: 'a version control program of the host runs extensions and hooks that its folder names',
  },
};

/** Installed packages bring settings of their own, which no program reads before the user opens that very folder. */
export const PACKAGES_FOLDER = 'node_modules';
