own web --replicas 1 --reserve-cpu 0.1 "$image" sleep 1000
