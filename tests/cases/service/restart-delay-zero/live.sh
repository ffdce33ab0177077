own web --restart-delay 0s "$image" sleep 1000
