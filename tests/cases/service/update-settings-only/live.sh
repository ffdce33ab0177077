own web --update-delay 10s "$image" sleep 1000
