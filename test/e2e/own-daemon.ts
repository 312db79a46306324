/** The tests begin and end without a daemon of their state folder: none of an earlier build serves them, none is left behind. */
import { tmpdir } from 'node:os';
import { must } from './harness.ts';

const stopDaemon = async () => void (await must(['daemon', 'stop'], { cwd: tmpdir() }));

export { stopDaemon as setup, stopDaemon as teardown };
