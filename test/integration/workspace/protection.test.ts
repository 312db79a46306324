import { describe } from 'vitest';
import { describeProtection } from './protection.suite.ts';
import { describeWatching } from './watch-mounts.suite.ts';

describe('a workspace in the jail', describeProtection);
describe('its mounts, watched', describeWatching);
