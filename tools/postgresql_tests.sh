#!/bin/sh
# Run the server's tests on a PostgreSQL of its own: tools/postgresql_tests.sh VENV [TESTS...]
# A cluster is made in a temporary folder, answers on a socket there, and is gone in the end. Needs Debian's
# `postgresql` or another installation whose `initdb` is found; without one it says so and does nothing.
set -eu
venv=$1
shift
initdb=$(command -v initdb || ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -n 1 || true)
if [ -z "$initdb" ]; then
    echo "skipped: PostgreSQL is not installed (apt-get install postgresql)"
    exit 0
fi
PATH=$(dirname "$initdb"):$PATH
folder=$(mktemp -d)
as_owner() { "$@"; }
if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to run as root
    chown postgres "$folder"
    as_owner() { runuser -u postgres -- env PATH="$PATH" "$@"; }
fi
trap 'as_owner pg_ctl --pgdata="$folder/data" --mode=immediate stop >/dev/null; rm -rf "$folder"' EXIT
trap 'exit 143' HUP INT TERM # and so to the trap above
as_owner initdb --pgdata="$folder/data" --username=skuscan --auth=trust --no-sync >/dev/null
as_owner pg_ctl --pgdata="$folder/data" --log="$folder/log" --wait start \
    --options="-c listen_addresses='' -c unix_socket_directories='$folder' -c fsync=off -c max_connections=300" >/dev/null
# Tests drop servers with their pools of connections, which psycopg warns of; SQLite's are not pooled.
SKUSCAN_TEST_DATABASE="postgresql+psycopg://skuscan@/postgres?host=$folder" \
    "$venv/bin/python" -m pytest -W ignore::ResourceWarning \
    -W ignore::pytest.PytestUnraisableExceptionWarning "${@:-tests/server}"
