# What tar, cp, rsync and git leave below a folder: `trees.sh FOLDER SOURCE PROGRAMS`.
set -e
into=$1 source=$2 programs=$3
export GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=user.name GIT_CONFIG_VALUE_0=a GIT_CONFIG_KEY_1=user.email GIT_CONFIG_VALUE_1=a@b
export GIT_AUTHOR_DATE='2026-01-02T03:04:05Z' GIT_COMMITTER_DATE='2026-01-02T03:04:05Z'
shown() { echo "== $1"; shift; python3 "$programs/manifest.py" "$@"; }

mkdir "$into/tar" "$into/cp"; mkdir "$into/rsync"
tar cf - -C "$source" tree | tar xpf - -C "$into/tar"
shown 'tar' "$into/tar" times links
cp -a "$source/tree" "$into/cp"
shown 'cp -a' "$into/cp" times links
cp -a "$into/cp/tree" "$into/again"
shown 'cp -a within' "$into/again" times links
rsync -aH "$source/tree" "$into/rsync"
rm "$into/rsync/tree/links/name"; echo changed > "$into/rsync/tree/sub/file"; mkdir "$into/rsync/tree/more"
rsync -aHc --delete --itemize-changes "$source/tree" "$into/rsync"
shown 'rsync' "$into/rsync" times links
tar cf - -C "$into/cp" tree | tar df - -C "$into/tar"
diff -rx pipe --no-dereference "$source/tree" "$into/cp/tree"

git clone -q --no-local "$source/repository" "$into/clone"
cd "$into/clone"
git switch -qc topic; echo more > more; git add more; git commit -qm more; git mv more moved; git commit -qm moved
git rm -q folder/1; git commit -qm removed; git checkout -q -; git merge -q --no-edit --no-ff topic
git config pack.threads 1; git gc -q --prune=now; git fsck --no-progress --strict; git status --short; git ls-files -s; git log --format='%H %s'
shown 'git' "$into/clone"
shown 'what git keeps' "$into/clone/.git" names
