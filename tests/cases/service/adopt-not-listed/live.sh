create web "$image" sleep 1000
