#!/bin/sh
# Three nodes on one PostgreSQL, on this machine, in one folder, without root and without containers.
#
#     docs/examples/three-nodes.sh [FOLDER]        starts all; Ctrl-C ends all; what they hold stays in FOLDER
#
# It needs `orest` and PostgreSQL's programs on the PATH (Debian: PATH=$PATH:/usr/lib/postgresql/15/bin). In earnest each node is
# a machine or a container of its own with the same three settings: the database's URL, the sealing keys, its address.
set -eu

folder=${1:-three-nodes}
port=${OREST_EXAMPLE_PORT:-8070} # of the first node; the database listens one below
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# PostgreSQL. Yours has a password, TLS, a standby and a backup; this one listens on loopback only.
database_port=$((port - 1))
url="postgres://orest@127.0.0.1:$database_port/orest?sslmode=disable"
if [ ! -d "$folder/postgres" ]; then
    initdb --username=orest --auth=trust --encoding=UTF8 --locale=C.UTF-8 -D "$folder/postgres" > "$folder/initdb.log"
fi
pg_ctl -w -D "$folder/postgres" -l "$folder/postgres.log" \
    -o "-p $database_port -c listen_addresses=127.0.0.1 -c unix_socket_directories=" start > "$folder/pg_ctl.log"
pids=
end() {
    trap - INT TERM EXIT
    # Each node gives its lease back and answers what it has been asked; then the database may go.
    for pid in $pids; do kill -TERM "$pid" 2> /dev/null || true; done
    for pid in $pids; do wait "$pid" 2> /dev/null || true; done
    pg_ctl -w -m fast -D "$folder/postgres" stop > "$folder/pg_ctl.log"
}
trap end EXIT
trap 'exit 0' INT TERM
createdb -h 127.0.0.1 -p "$database_port" -U orest orest 2> /dev/null || true

# Nodes. All seal with the same keys, so the first one's file is the others' too.
start() {
    OREST_NODE_NAME=$1 OREST_DATA_DIR="$folder/$1" OREST_DATABASE_URL="$url" OREST_BASE_URL="http://127.0.0.1:$port" \
        orest serve --listen "127.0.0.1:$2" > "$folder/$1.log" 2>&1 &
    pids="$pids $!"
    until grep -qs '^Ready' "$folder/$1.log"; do
        kill -0 $! || { cat "$folder/$1.log"; exit 1; }
        sleep 0.1
    done
}
start first "$port"
for name in second third; do
    mkdir -p -m 700 "$folder/$name"
    cp -p "$folder/first/sealing-keys" "$folder/$name/"
done
start second $((port + 1))
start third $((port + 2))

grep 'sign in' "$folder/first.log" || true
echo "Nodes: http://127.0.0.1:$port http://127.0.0.1:$((port + 1)) http://127.0.0.1:$((port + 2))"
OREST_DATABASE_URL="$url" OREST_DATA_DIR="$folder/first" orest nodes
echo "Ctrl-C ends them."
while :; do sleep 1; done
