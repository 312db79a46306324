/** Finds the tokens that a login response issues, to be replaced by placeholders. Pure. */

/** Credential fields of OAuth responses (RFC 6749, OpenID Connect) */
const FIELDS = new Set(['access_token', 'refresh_token', 'id_token']);
const LEAST = 16;
const DEEP = 5;

export interface IssuedToken {
  field: string;
  value: string;
}

/** The tokens in a body, without short values. */
export function tokensIn(text: string, kind: 'json' | 'form'): IssuedToken[] {
  return (kind === 'json' ? inJson(text) : inForm(text)).filter(({ value }) => value.length >= LEAST);
}

function inJson(text: string): IssuedToken[] {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return [];
  }
  const found: IssuedToken[] = [];
  const visit = (node: unknown, depth: number) => {
    if (typeof node !== 'object' || node === null || depth > DEEP) return;
    for (const [field, value] of Object.entries(node)) {
      if (typeof value === 'string' && FIELDS.has(field)) found.push({ field, value });
      else visit(value, depth + 1);
    }
  };
  visit(root, 0);
  return found;
}

function inForm(text: string): IssuedToken[] {
  return [...new URLSearchParams(text)]
    .filter(([field]) => FIELDS.has(field))
    .map(([field, value]) => ({ field, value }));
}

/** Encodes a value for a body of this kind. */
export function encodedFor(value: string, kind: 'json' | 'form'): string {
  return kind === 'json' ? JSON.stringify(value).slice(1, -1) : encodeURIComponent(value);
}

/** Undefined: neither JSON nor a form. */
export function bodyKindOf(contentType: string | undefined): 'json' | 'form' | undefined {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === 'application/x-www-form-urlencoded') return 'form';
  return type === 'application/json' || /^application\/[\w.-]+\+json$/.test(type) ? 'json' : undefined;
}

/** Cheap check before parsing. */
export function namesTokens(text: string): boolean {
  return [...FIELDS].some((field) => text.includes(field));
}
