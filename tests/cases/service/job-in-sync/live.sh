own web --mode replicated-job --replicas 2 "$image" true
