/** The data types of the ssh agent's protocol (RFC 4251, section 5; draft-ietf-sshm-ssh-agent). Pure. */

/** Numbers of messages */
export const MESSAGE = {
  failure: 5,
  requestIdentities: 11,
  identities: 12,
  signRequest: 13,
  signResponse: 14,
} as const;

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A string: its length, then its bytes. */
export function sshString(value: Buffer | string): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

/** One message of an agent: its length, its number, its fields. */
export function frame(type: number, ...fields: Buffer[]): Buffer {
  return sshString(Buffer.concat([Buffer.from([type]), ...fields]));
}

/** Reads fields in their order; undefined once one is cut off, and for each after it. */
export class Fields {
  #rest: Buffer | undefined;

  constructor(bytes: Buffer) {
    this.#rest = bytes;
  }

  string(): Buffer | undefined {
    const length = this.uint32();
    return length === undefined ? undefined : this.#take(length);
  }

  uint32(): number | undefined {
    return this.#take(4)?.readUInt32BE();
  }

  /** All was read, and nothing was cut off */
  get atEnd(): boolean {
    return this.#rest?.length === 0;
  }

  #take(length: number): Buffer | undefined {
    const rest = this.#rest;
    this.#rest = rest === undefined || rest.length < length ? undefined : rest.subarray(length);
    return this.#rest === undefined ? undefined : rest?.subarray(0, length);
  }
}
