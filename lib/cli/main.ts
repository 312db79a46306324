/** The command line. Commands are loaded when they are called. */

import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandContext, run } from '@stricli/core';
import { app } from './app.ts';
import { createContext } from './context.ts';

const context = createContext(dirname(fileURLToPath(import.meta.url)));
// A reader that closes its end (`sbx ls | head -1`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

await run(app, process.argv.slice(2), context as unknown as CommandContext);
// Stricli's own codes for wrong usage are negative.
if (typeof process.exitCode === 'number' && process.exitCode < 0) process.exitCode = 2;
