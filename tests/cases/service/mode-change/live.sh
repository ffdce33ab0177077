own web --replicas 2 "$image" sleep 1000
