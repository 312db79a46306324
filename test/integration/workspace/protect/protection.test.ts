import { describe } from 'vitest';
import { describeWatching } from '../mounts/watch-mounts.suite.ts';
import { describeProtection } from './protection.suite.ts';

describe('a workspace in the jail', describeProtection);
describe('its mounts, watched', describeWatching);
