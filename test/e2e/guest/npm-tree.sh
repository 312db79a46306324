# What npm installs below a folder: `npm-tree.sh FOLDER SOURCE PROGRAMS`.
set -e
cp -r "$2/project" "$1/project"
cd "$1/project"
npm ci --no-audit --no-fund >/tmp/npm-said 2>&1 || { cat /tmp/npm-said >&2; exit 1; }
python3 "$3/manifest.py" "$1/project"
