/** Stops the daemon of the tests' state folder before and after a run, so that none of an earlier build is used and none is left running. */
import { tmpdir } from 'node:os';
import { must } from './harness.ts';

const stopDaemon = async () => void (await must(['daemon', 'stop', '--yes'], { cwd: tmpdir() }));

export { stopDaemon as setup, stopDaemon as teardown };
