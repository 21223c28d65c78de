#!/bin/sh
# Processes each record once, over crashes of whatever kind: ./once.sh FOLDER 'COMMAND'     e.g.   ./once.sh /var/lib/errors 'grep ERROR || true'
#
# What COMMAND makes of a batch becomes the file FOLDER/OFFSET.part, where OFFSET is the place behind the batch: result and place appear together, by one
# rename. So the newest name says what is done. Only that is committed, with the request for what comes behind it; a crash before the rename processes the
# batch again and has left nothing of it, one behind it does not. An answer that breaks off ends the run with curl's status: run it again.
# With TOKEN in the environment, requests carry it.
set -eu
queue=${QUEUE_URL:-http://127.0.0.1:7171/v1/queues/app-logs} folder=$1 command=$2
request() { curl -sSf --compressed ${TOKEN:+-H "Authorization: Bearer $TOKEN"} "$@"; }
request -X PUT -o /dev/null "$queue/consumers/once"
while [ -d "$folder" ]; do
  place=$(ls "$folder" | sed -n 's/\.part$//p' | sort -t- -k2n | tail -n 1)
  answer=$(request -o "$folder/.batch" -w '%{http_code} %header{sluice-next-offset}' "$queue/records?consumer=once${place:+&commit=$place}")
  case $answer in 200*) ;; 204*) exit 0 ;; *) exit 1 ;; esac
  sh -c "$command" < "$folder/.batch" > "$folder/.new"
  sync "$folder/.new" && mv "$folder/.new" "$folder/${answer#* }.part" && sync "$folder"
done
exit 2  # no such folder
