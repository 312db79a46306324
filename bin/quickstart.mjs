/** `npm run quickstart`: installs missing tools and packages, builds, applies an example on real VMs and shows what to try next. */
import { appendFileSync, cpSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { must, root, say, setUp } from './setup.mjs';

setUp();
const sbx = join(root, 'bin', 'sbx');
const example = join(root, '.cache', 'quickstart');
mkdirSync(example, { recursive: true });
const file = join(example, 'sandbox.toml');
if (!existsSync(file)) {
  cpSync(join(root, 'examples', 'hello'), example, { recursive: true });
  appendFileSync(
    file,
    '\n[workspace]\n# The repository around this folder is that of sbx, which ignores it.\ngit_repository = false\n',
  );
}

say('this host');
must(sbx, ['doctor']);
say(
  'applying .cache/quickstart/sandbox.toml (the first run builds a base image: some minutes without hardware virtualisation)',
);
must(sbx, ['apply', '--yes', '--project', example]);
say('a command inside the microVM');
must(sbx, [
  'exec',
  '--project',
  example,
  '--',
  'sh',
  '-c',
  'echo "hello from $(hostname): $(uname -sr), $(. /etc/os-release; echo $PRETTY_NAME), user $(id -un), in $(pwd)"',
]);
say('a request that the policy denies');
must(sbx, ['exec', '--project', example, '--', 'sh', '-c', 'curl -sS http://example.com/ || true']);
say('try next');
process.stdout.write(`  cd ${example}
  ${sbx} shell                      a shell inside
  ${sbx} exec -- ls -la             a command inside
  ${sbx} net log                    its requests, with the reason each was allowed or denied
  edit sandbox.toml, then ${sbx} plan and ${sbx} apply
  ${sbx} rm                         remove it again
`);
