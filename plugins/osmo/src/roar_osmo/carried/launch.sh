# Runs a task's command in the place of this shell, observed where roar-core is to be had.
# sh launch.sh PYTHON [OPTION ...] -- COMMAND [ARGUMENT ...]; PYTHON may be empty.
# The long name is no variable of the task's own, which an assignment would change for it.
for roar_osmo_python in "$1" python3 python; do
    test -n "$roar_osmo_python" || continue
    # -P: modules of the working directory are the task's own. A Python that is too old refuses it.
    # Without a word, observe.py says whether all that it needs is here.
    if "$roar_osmo_python" -P "${0%/*}/observe.py" </dev/null >/dev/null 2>&1; then
        shift
        exec "$roar_osmo_python" -P "${0%/*}/observe.py" "$@"
    fi
done
while test "$1" != --; do shift; done
shift
exec "$@"
