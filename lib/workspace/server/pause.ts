/** Asks the guest's relay for a pause, after which no further request comes. */
import { encodePause } from './fuse/notify.ts';

export class Pause {
  private onPaused: () => void = () => {};

  /** False: after `waitMs` the guest still waited for a reply, or its relay knows of no pause */
  request(send: (message: Buffer) => void, waitMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), waitMs);
      this.onPaused = () => {
        clearTimeout(timer);
        resolve(true);
      };
      send(encodePause());
    });
  }

  /** The relay has answered. */
  confirm(): void {
    this.onPaused();
  }
}
