/** Every double: the world of the six agents. */
import { anthropic } from './anthropic.ts';
import { copilot, github } from './copilot.ts';
import type { Double } from './double.ts';
import { gemini } from './gemini.ts';
import { compatible, openai } from './openai.ts';

export const ALL_DOUBLES: Double[] = [anthropic, openai, compatible, gemini, github, copilot];
