/** Test double: a Python package index (the simple repository API), with wheels made from source text. */
import { createHash } from 'node:crypto';
import { zip } from './zip.ts';

export interface PythonPackage {
  name: string;
  version: string;
  /** Of its one module, called as the package with `_` for `-` */
  source: string;
}

export interface IndexAnswer {
  status: number;
  type: string;
  body: Buffer;
}

/** Path of a request → answer: `/simple/`, `/simple/NAME/`, `/files/WHEEL`. */
export function pythonIndex(packages: PythonPackage[]): (path: string) => IndexAnswer {
  const wheels = packages.map((one) => ({ ...one, file: `${fileName(one)}-py3-none-any.whl`, bytes: wheelOf(one) }));
  return (path) => {
    const [, folder = '', name = ''] = path.split('/');
    const wheel = wheels.find(({ file }) => file === name);
    if (folder === 'files' && wheel !== undefined)
      return { status: 200, type: 'application/octet-stream', body: wheel.bytes };
    const found = wheels.filter((one) => name === '' || one.name === name);
    if (folder !== 'simple' || found.length === 0)
      return { status: 404, type: 'text/plain', body: Buffer.from('404\n') };
    const links = found.map((one) =>
      name === ''
        ? `<a href="/simple/${one.name}/">${one.name}</a>`
        : `<a href="/files/${one.file}#sha256=${sha256(one.bytes, 'hex')}">${one.file}</a>`,
    );
    const page = `<!DOCTYPE html>\n<html><body>\n${[...new Set(links)].join('<br>\n')}\n</body></html>\n`;
    return { status: 200, type: 'text/html; charset=utf-8', body: Buffer.from(page) };
  };
}

function fileName({ name, version }: PythonPackage): string {
  return `${name.replaceAll('-', '_')}-${version}`;
}

/** A wheel is a zip: the module, and a folder that says what it is and lists every file with its hash. */
function wheelOf(one: PythonPackage): Buffer {
  const info = `${fileName(one)}.dist-info`;
  const files: Record<string, string> = {
    [`${one.name.replaceAll('-', '_')}.py`]: one.source,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${one.name}\nVersion: ${one.version}\n`,
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: sbx-tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
  };
  const record = Object.entries(files).map(
    ([path, text]) => `${path},sha256=${sha256(Buffer.from(text), 'base64url')},${Buffer.byteLength(text)}\n`,
  );
  return zip({ ...files, [`${info}/RECORD`]: `${record.join('')}${info}/RECORD,,\n` });
}

function sha256(bytes: Buffer, encoding: 'hex' | 'base64url'): string {
  return createHash('sha256').update(bytes).digest(encoding);
}
