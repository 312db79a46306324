/** Reads what a guest depends on from the text of /proc/cpuinfo: pure. */

/**
 * The rate of the processor's counter, from /proc/cpuinfo; undefined where it is not the same at all times. `bogomips` is two times it, since the
 * kernel takes its delay loop from it. Not `cpu MHz`: that is how fast the processor runs just now.
 */
export function tscKhzOf(cpuinfo: string): number | undefined {
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(' ') ?? [];
  const bogomips = Number(/^bogomips\s*:\s*([\d.]+)/m.exec(cpuinfo)?.[1]);
  if (!flags.includes('constant_tsc') || !flags.includes('nonstop_tsc') || !(bogomips > 0)) return undefined;
  return Math.round((bogomips / 2) * 1000);
}

const SHOWN = ['vendor_id', 'cpu family', 'model', 'model name', 'stepping', 'flags'];

/** What `-cpu host` shows of the processor: its model and features, a line each. Empty on another architecture. */
export function processorOf(cpuinfo: string): string {
  const [first = ''] = cpuinfo.split('\n\n');
  return first
    .split('\n')
    .map((line) => line.split(/\s*:\s*(.*)/s))
    .flatMap(([key = '', value = '']) => (SHOWN.includes(key) ? [`${key}: ${value}`] : []))
    .join('\n');
}
