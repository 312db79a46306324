/** Measures the size and shape of a source tree: files, functions, folders and imports. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';

/** The same figures of the tree before it was divided into rooms */
export const BEFORE = {
  files: '382',
  'file lines, median / p95 / max': '63 / 162 / 217',
  'function lines, median / p95 / max': '7 / 25 / 103',
  'functions > 30 / > 40 lines': '51 / 21',
  'functions with 3 or more arguments': '262',
  'fullest folder': '74',
  'files of at most 35 lines with one importer': '43',
  'cycles of rooms': '3',
  'lines of lib, bin and scripts': '27854',
};

/** @returns name → figure, in the order of {@link BEFORE} */
export function measure(root) {
  const files = readTree(root);
  const lines = [...files.values()].map(countLines);
  const functions = [...files].flatMap(([file, text]) => functionsOf(file, text));
  const sizes = functions.map((one) => one.lines);
  const folders = countBy([...files.keys()].map((file) => dirname(file)));
  const imports = importsOf(files);
  const importers = countBy(imports.map(({ to }) => to));
  const halves = [...files].filter(([file, text]) => countLines(text) <= 35 && importers.get(file) === 1);
  return {
    files: String(files.size),
    'file lines, median / p95 / max': spread(lines),
    'function lines, median / p95 / max': spread(sizes),
    'functions > 30 / > 40 lines': [30, 40].map((limit) => sizes.filter((size) => size > limit).length).join(' / '),
    'functions with 3 or more arguments': String(functions.filter((one) => one.args >= 3).length),
    'fullest folder': String(Math.max(0, ...folders.values())),
    'files of at most 35 lines with one importer': String(halves.length),
    'cycles of rooms': String(cyclesOf(edgesBetweenRooms(imports)).length),
    'lines of lib, bin and scripts': String(sum(['lib', 'bin', 'scripts'].flatMap((dir) => linesIn(join(root, dir))))),
  };
}

/** The TypeScript files of lib/: path → text */
export function readTree(root) {
  const names = readdirSync(join(root, 'lib'), { recursive: true }).filter((name) => name.endsWith('.ts'));
  return new Map(names.map((name) => [join('lib', name), readFileSync(join(root, 'lib', name), 'utf8')]));
}

/** Each file once for each importing file: `{ from, to }`; imports of types and dynamic imports count. */
export function importsOf(files) {
  return [...files].flatMap(([from, text]) => {
    const targets = ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName);
    const paths = targets.filter((name) => name.startsWith('.')).map((name) => normalize(join(dirname(from), name)));
    return [...new Set(paths.map((path) => path.replace(/\.js$/, '.ts')))].map((to) => ({ from, to }));
  });
}

/** @returns room → rooms that it imports; files at the top of lib/ belong to no room */
export function edgesBetweenRooms(imports) {
  const edges = new Map();
  for (const { from, to } of imports) {
    const [room, other] = [roomOf(from), roomOf(to)];
    if (room === '' || other === '' || room === other) continue;
    edges.set(room, (edges.get(room) ?? new Set()).add(other));
  }
  return edges;
}

export function roomOf(file) {
  return dirname(file).split('/').slice(1).join('/');
}

/** Groups of rooms that import each other, directly or through others (Tarjan's strongly connected components). */
function cyclesOf(edges) {
  const [index, low, stack, found] = [new Map(), new Map(), [], []];
  const visit = (room) => {
    index.set(room, index.size);
    low.set(room, index.get(room));
    stack.push(room);
    for (const next of edges.get(room) ?? []) {
      if (!index.has(next)) visit(next);
      if (stack.includes(next)) low.set(room, Math.min(low.get(room), low.get(next)));
    }
    if (low.get(room) !== index.get(room)) return;
    const group = stack.splice(stack.indexOf(room));
    if (group.length > 1) found.push(group);
  };
  for (const room of edges.keys()) if (!index.has(room)) visit(room);
  return found;
}

/** Functions with a block as their body; arrow functions that are one expression do not count. */
function functionsOf(file, text) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  const found = [];
  const lineOf = (position) => source.getLineAndCharacterOfPosition(position).line;
  const visit = (node) => {
    if (ts.isFunctionLike(node) && node.body !== undefined && ts.isBlock(node.body))
      found.push({ lines: lineOf(node.end) - lineOf(node.getStart(source)) + 1, args: node.parameters.length });
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function linesIn(dir) {
  if (!existsSync(dir)) return [];
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return entries.map((entry) => countLines(readFileSync(join(entry.parentPath, entry.name), 'utf8')));
}

function countLines(text) {
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}

function spread(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  return [at(0.5), at(0.95), sorted.at(-1) ?? 0].join(' / ');
}

function countBy(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
