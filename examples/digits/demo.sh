#!/bin/sh
# Record the digits pipeline with roar in a git repository of its own: sh demo.sh [folder]
#
# The folder (default ./digits-demo) is made afresh each time and left for you to look around in.
set -eu

example=$(cd "$(dirname "$0")" && pwd)
folder=${1:-digits-demo}
case $folder in
    /*) ;;
    *) folder=$PWD/$folder ;;
esac

for tool in roar git python; do
    command -v "$tool" >/dev/null || { echo "demo: $tool is not on PATH" >&2; exit 1; }
done
# Only what an earlier demo made is ever removed.
if [ -e "$folder" ] && [ ! -e "$folder/.demo" ]; then
    echo "demo: $folder exists and is no demo of ours; name another folder" >&2
    exit 1
fi
rm -rf "$folder"
mkdir -p "$folder"
touch "$folder/.demo"
cp "$example"/*.py "$example/params.toml" "$folder"
cd "$folder"

printf '%s\n' .demo .roar/ data/ models/ report.json >.gitignore
git init -q -b main
git add .
git -c user.name=demo -c user.email=demo@example.org -c commit.gpgsign=false commit -q -m "The digits pipeline"

show() { # Print a command as one would type it, then run it.
    printf '\n$ %s\n' "$*"
    "$@"
}

show roar run python prepare.py
show roar run python train.py
show roar run python evaluate.py
balance='cut -d, -f1 data/test.csv | sort | uniq -c > data/balance.txt'
printf '\n$ %s\n' "roar run -n balance sh -c '$balance'"
roar run -n balance sh -c "$balance"
show roar dag
show roar show models/model.npz

printf '\nIt is all in %s: go there, and try roar log, roar show report.json, roar show @2.\n' "$folder"
printf 'To let others ask where a file came from: docs/team.md; what would leave this machine: roar register --dry-run.\n'
