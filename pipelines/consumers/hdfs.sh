#!/bin/sh
# Takes a queue into HDFS over WebHDFS, a file for each batch, until none is left; for a crontab, or with FOLLOW=--follow for ever.
#
#   ./hdfs.sh SERVER QUEUE WEBHDFS FOLDER      e.g.   ./hdfs.sh http://logs:7171 app-logs http://namenode:9870/webhdfs/v1 /logs/app
#
# A file is written under a hidden name and then renamed, so readers see whole files only. It is named for its first record's offset, and that batch is
# committed only afterwards: what a crash repeats takes the place of what it had left. HADOOP_USER (default: yours) is who writes.
set -eu
server=$1 queue=$2
export webhdfs=$3 folder=$4 user=${HADOOP_USER:-$(id -un)}
export batch="${TMPDIR:-/tmp}/sluice-hdfs-$$"
trap 'rm -f "$batch"' EXIT

put='
  set -eu
  cat > "$batch"
  name=$(printf %020d "${SLUICE_FIRST_OFFSET#*-}")
  call() { curl --silent --show-error --fail "$@"; }
  # The name node says where the data goes, and the data node takes it.
  where=$(call --request PUT --output /dev/null --write-out "%{redirect_url}" "$webhdfs$folder/_$name.tmp?op=CREATE&overwrite=true&user.name=$user")
  call --upload-file "$batch" "$where"
  call --request DELETE --output /dev/null "$webhdfs$folder/$name.log?op=DELETE&user.name=$user"
  call --request PUT "$webhdfs$folder/_$name.tmp?op=RENAME&destination=$folder/$name.log&user.name=$user" | grep -q true
'
"${SLUICE:-sluice}" pull "$queue" --server "$server" --consumer hdfs --create --commit --batch-bytes 64MiB ${FOLLOW:-} --exec "$put"
