docker node update --label-add disk=ssd gmktec >/dev/null
own web --constraint node.role==manager --constraint node.labels.old==1 "$image" sleep 1000
