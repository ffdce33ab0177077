own web --replicas 3 --reserve-cpu 0.1 "$image" sleep 1000
