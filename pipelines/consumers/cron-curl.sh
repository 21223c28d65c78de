#!/bin/sh
# Everything that came since the last run, as files in a folder, with nothing but curl. A line of a crontab:
#
#   7 * * * *  QUEUE_URL=http://127.0.0.1:7171/v1/queues/app-logs /opt/sluice/pipelines/consumers/cron-curl.sh /var/lib/batches
#
# A batch is committed by the request that asks for the next one, when its file is there. When this is killed in between, the same records come again,
# into the file of the same name: each record is in one file, whatever happens. CONSUMER (default: cron) names whose place it is; with TOKEN in the
# environment, requests carry it.
set -eu
queue=${QUEUE_URL:-http://127.0.0.1:7171/v1/queues/app-logs}
consumer=${CONSUMER:-cron}
folder=${1:?a folder for the batches}

request() { curl --silent --show-error --fail --compressed --retry 5 --retry-connrefused ${TOKEN:+--header "Authorization: Bearer $TOKEN"} "$@"; }

# Made once; later this changes nothing. From then on the queue keeps what it has not read.
request --request PUT --output /dev/null "$queue/consumers/$consumer"

commit=
while :; do
  answer=$(request --output "$folder/.batch" --write-out '%{http_code} %header{sluice-first-offset} %header{sluice-next-offset}' \
    "$queue/records?consumer=$consumer&max_bytes=16MiB$commit")
  set -- $answer
  [ "$1" = 200 ] || break                                  # 204: that was all, and it is committed
  mv "$folder/.batch" "$folder/$(printf %020d "${2#*-}").log"
  sync "$folder"
  commit="&commit=$3"
done
