own web --mode replicated-job --replicas 3 --max-concurrent 1 "$image" true
