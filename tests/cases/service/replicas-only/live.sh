own web "$image" sleep 1000
