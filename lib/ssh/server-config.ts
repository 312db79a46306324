/** The configuration of the sshd that serves one connection inside: sshd_config(5). Pure. */

/** Folder inside, of root; the files below it are written again for each connection */
const SERVER_DIR = '/run/sbx-ssh';
export const SERVER_CONFIG = `${SERVER_DIR}/config`;

/** sshd sets these itself, or the session's shell does. */
const OWN = new Set(['HOME', 'USER', 'LOGNAME', 'SHELL', 'TERM', 'PWD', 'OLDPWD', 'SHLVL', '_', 'MAIL']);

/**
 * The server runs as the user, who could change it: what protects the host is set in the host's own entry. It offers what the client may ask for.
 * `environment`: that of `sbx exec`, as `env -0` prints it.
 */
export function serverConfig(environment: string): string {
  const variables = variablesOf(environment);
  return [
    `HostKey ${SERVER_DIR}/server_key`,
    `AuthorizedKeysFile ${SERVER_DIR}/authorized_keys`,
    'AuthenticationMethods publickey',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'UsePAM no',
    'StrictModes no',
    'PidFile none',
    'PrintMotd no',
    'PrintLastLog no',
    'LogLevel ERROR',
    'MaxSessions 100',
    'ClientAliveInterval 60',
    'X11Forwarding yes',
    'AcceptEnv LANG LC_* COLORTERM GIT_PROTOCOL',
    'Subsystem sftp internal-sftp',
    // Only the first line of this option counts.
    ...(variables.length === 0 ? [] : [`SetEnv ${variables.map(quoted).join(' ')}`]),
    '',
  ].join('\n');
}

/** Without those that one line cannot hold. */
function variablesOf(environment: string): string[] {
  return environment.split('\0').filter((entry) => {
    const name = /^([A-Za-z_]\w*)=/.exec(entry)?.[1];
    return name !== undefined && !OWN.has(name) && !/\p{Cc}/u.test(entry);
  });
}

function quoted(text: string): string {
  return `"${text.replaceAll(/[\\"]/g, '\\$&')}"`;
}
