#!/bin/sh
# Six steps from nothing to a reproduced artifact: sh demo.sh [folder]
#
# The folder (default ./end-to-end-demo) is made afresh each time, and beside it <folder>-again, in
# which the last artifact is made once more from its hash alone.
set -eu

example=$(cd "$(dirname "$0")" && pwd)
folder=${1:-end-to-end-demo}
case $folder in
    /*) ;;
    *) folder=$PWD/$folder ;;
esac
again=$folder-again

for tool in roar git python; do
    command -v "$tool" >/dev/null || { echo "demo: $tool is not on PATH" >&2; exit 1; }
done
# Only what an earlier demo made is ever removed.
for made in "$folder" "$again"; do
    if [ -e "$made" ] && [ ! -e "$folder/.demo" ]; then
        echo "demo: $made exists and is no demo of ours; name another folder" >&2
        exit 1
    fi
done
rm -rf "$folder" "$again"
mkdir -p "$folder"
touch "$folder/.demo"
cp "$example"/*.py "$folder"
cd "$folder"

step() { # Say which step it is, print its command as one would type it, and run it.
    printf '\n# %s\n$ ' "$1"
    shift
    printf '%s ' "$@"
    printf '\n'
    "$@"
}

printf '%s\n' .demo .roar/ '*.bin' >.gitignore
git init -q -b main
git add .
git -c user.name=demo -c user.email=demo@example.org -c commit.gpgsign=false commit -q -m "Two small programs"

step "1. Generate an artifact, with roar looking on." roar run python generate.py 1 first.bin
step "2. And another one." roar run python generate.py 2 second.bin
step "3. Combine them." roar run python combine.py first.bin second.bin combined.bin
step "4. See what roar made of that: nobody told it what belongs to what." roar dag --show-artifacts

hash=$(roar show combined.bin --json |
    python -c 'import json, sys; print(json.load(sys.stdin)["hash"])')
step "5. Everything the last artifact came from, for other tools and other people." \
    roar export combined.bin --output lineage.json
step "6. Make it again in a fresh directory, from its hash alone, and compare." \
    roar reproduce "$hash" --run --yes --into "$again"

printf '\nThe first is in %s, the second in %s.\n' "$folder" "$again"
