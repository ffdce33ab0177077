printf hello | docker config create --label io.reconcile.cluster=lab page-2cf24dba5fb0 - >/dev/null
own web --config source=page-2cf24dba5fb0,target=/etc/page "$image" sleep 1000
