own web --container-label team=dev "$image" sleep 1000
