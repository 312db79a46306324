import { expect, test } from 'vitest';
import { baseImageOf } from '../../../../lib/config/devcontainer/base-image.ts';

test.each([
  ['debian:bookworm', 'debian:bookworm', true],
  ['debian:12', 'debian:bookworm', true],
  ['ubuntu:22.04', 'ubuntu:jammy', true],
  ['registry.example.com:5000/team/ubuntu:noble', 'ubuntu:noble', true],
  ['mcr.microsoft.com/devcontainers/base:ubuntu-22.04', 'ubuntu:jammy', true],
  ['mcr.microsoft.com/devcontainers/typescript-node:1-22-bookworm', 'debian:bookworm', false],
  ['python:3.13-slim-trixie', 'debian:trixie', false],
])('%s', (image, base, isPlain) => {
  expect(baseImageOf(image)).toEqual({ base, isPlain });
});

test.each(['debian', 'node:22', 'alpine:3.20', 'debian@sha256:00', 'debian:bookworm\n', '', 'constructor:constructor'])(
  'no base for %j',
  (image) => {
    expect(baseImageOf(image)).toBeUndefined();
  },
);
