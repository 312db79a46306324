/** Programs that the tests run inside a VM: each requests its arguments and prints the status and first line of each answer. */
export const SCRIPTS = {
  'ask.mjs': `for (const url of process.argv.slice(2))
  await fetch(url).then(
    async (answer) => console.log(answer.status, (await answer.text()).split('\\n')[0]),
    (error) => console.log('failed:', error.cause?.message ?? error.message),
  );
`,
  'ask.py': `import sys, urllib.error, urllib.request
for url in sys.argv[1:]:
    try:
        answer = urllib.request.urlopen(url)
        print(answer.status, answer.read().decode())
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode().split("\\n")[0])
    except urllib.error.URLError as error:
        print("failed:", error.reason)
`,
  'ask.sh': `for url in "$@"; do
  if said=$(curl -sS -o /tmp/body -w '%{http_code}' "$url" 2>&1); then echo "$said $(head -n 1 /tmp/body)"; else echo $said; fi
done
`,
  'ask.js': `function ask(address) {
  try {
    var connection = new java.net.URL(address).openConnection();
    var status = connection.getResponseCode();
    var stream = status < 400 ? connection.getInputStream() : connection.getErrorStream();
    return status + ' ' + new java.io.BufferedReader(new java.io.InputStreamReader(stream)).readLine();
  } catch (error) {
    return 'failed: ' + error.message;
  }
}
var property = java.lang.System.setProperty;
for (var i = 0; i < arguments.length; i++) {
  if (arguments[i] !== 'proxied') print(ask(arguments[i]));
  else { property('https.proxyHost', '10.0.2.100'); property('https.proxyPort', '3128'); }
}
`,
};
