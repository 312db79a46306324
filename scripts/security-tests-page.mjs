/** Renders docs/security-tests.md. */

/** @param pages page → section → test file → names of tests */
export function renderSecurityTests(pages) {
  const sections = Object.entries(pages).flatMap(([page, bySection]) =>
    Object.entries(bySection).map(([section, files]) => ({ page, section, files })),
  );
  return `# Tests that guard the security promises

Generated from \`test/unit/docs/security-tests.json\` (\`npm run generate\`). A unit test fails when a test of this list does not exist. The promises are described in
[security](security.md) and [network](network.md).
${sections.map(render).join('')}`;
}

function render({ page, section, files }) {
  const anchor = section.toLowerCase().replaceAll(' ', '-');
  const tests = Object.entries(files).flatMap(([file, names]) => names.map((name) => `- \`${file}\`: ${name}\n`));
  return `\n## [${section}](${page}#${anchor})\n\n${tests.join('')}`;
}
