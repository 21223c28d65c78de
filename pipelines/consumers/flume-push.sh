#!/bin/sh
# Pushes lines of standard input as Flume's HTTP source takes them: an array of {"headers", "body"}. Whoever posts to Flume can post to Sluice, as it is;
# a record is then one such object.
#
#   tail -n 1000 app.log | ./flume-push.sh http://127.0.0.1:7171/v1/queues/app-logs
#
# The key makes it safe for curl to send again when the answer was lost: a body is appended once under its key.
set -eu
body=$(mktemp)
trap 'rm -f "$body"' EXIT
awk -v host="$(uname -n)" '
  BEGIN {
    for (i = 1; i < 32; i++) escaped[sprintf("%c", i)] = sprintf("\\u%04x", i)
    escaped["\\"] = "\\\\"; escaped["\""] = "\\\""
    printf "["
  }
  {
    text = ""
    for (i = 1; i <= length($0); i++) { c = substr($0, i, 1); text = text (c in escaped ? escaped[c] : c) }
    printf "%s{\"headers\":{\"host\":\"%s\"},\"body\":\"%s\"}", (NR > 1 ? "," : ""), host, text
  }
  END { print "]" }' > "$body"
exec curl --silent --show-error --fail --retry 5 --retry-connrefused --header 'Content-Type: application/json' \
  --header "Idempotency-Key: $(cat /proc/sys/kernel/random/uuid)" --data-binary "@$body" "$1/records"
