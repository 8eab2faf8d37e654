#!/bin/bash
# Whether the server beside this script is sound: 0, or 1. For the image's
# HEALTHCHECK, so it needs nothing that a small image lacks.
set -euo pipefail

address=${DEBUG_ADDR:-[::]:8080}
host=${address%:*}
host=${host//[\[\]]/}
case $host in "" | :: | 0.0.0.0) host=127.0.0.1 ;; esac
exec 3<>"/dev/tcp/$host/${address##*:}"
printf 'GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
read -r -t 2 _ status _ <&3
[ "$status" = 200 ]
