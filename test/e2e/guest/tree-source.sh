# The tree and the repository that trees.sh copies: `tree-source.sh FOLDER`.
set -e
mkdir -p "$1/tree/sub/deep" "$1/tree/links" "$1/tree/empty" "$1/repository/folder"
cd "$1/tree"
echo text > sub/file; printf '#!/bin/sh\n' > run; chmod 755 run
echo secret > mode600; chmod 600 mode600; echo no > mode000; chmod 400 mode000; chmod 711 empty
ln sub/file links/hard; ln -s ../sub/file links/name; ln -s missing links/dangling; ln -s ../sub links/folder
truncate -s 3M holes; printf x | dd of=holes bs=1 seek=1500000 conv=notrunc status=none
: > "$(printf 'a name\twith \303\251 and \377')"
i=0; while [ $i -lt 120 ]; do head -c $((i * 97)) /dev/zero | tr '\0' 'z' > sub/deep/$i; i=$((i + 1)); done
mkfifo pipe
find . -exec touch -h -d '2021-02-03 04:05:06.123456789' {} +
touch -d '1980-01-01 12:00:00' run
cd "$1/repository"
export GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=user.name GIT_CONFIG_VALUE_0=a GIT_CONFIG_KEY_1=user.email GIT_CONFIG_VALUE_1=a@b
git init -q -b main
i=0; while [ $i -lt 150 ]; do echo "file $i" > folder/$i; i=$((i + 1)); done
ln -s folder/1 name; printf '#!/bin/sh\n' > run; chmod 755 run
git add .; git commit -qm one
i=0; while [ $i -lt 30 ]; do echo "more $i" >> folder/$i; i=$((i + 1)); done
git commit -qam two
